"""lm_jax: which pretraining objective should I use under my budget?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from lm_jax.api import LanguageModel as LanguageModel
  from lm_jax.api import evaluate as evaluate
  from lm_jax.api import load as load
  from lm_jax.errors import UsageError as UsageError
  from lm_jax.frames import plot as plot
  from lm_jax.frames import results as results
  from lm_jax.runs import Experiment as Experiment
  from lm_jax.runs import Run as Run
  from lm_jax.runs import compare as compare
  from lm_jax.runs import finetune as finetune
  from lm_jax.runs import train as train

__version__ = "0.1.0"

# Where each public name is defined: these need jax, and so are imported when
# they are first used, for `import lm_jax` to stay cheap.
_PUBLIC = {
  "Experiment": "runs",
  "LanguageModel": "api",
  "Run": "runs",
  "UsageError": "errors",
  "compare": "runs",
  "evaluate": "api",
  "finetune": "runs",
  "load": "api",
  "plot": "frames",
  "results": "frames",
  "train": "runs",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
  if name in _PUBLIC:
    return getattr(importlib.import_module(f"lm_jax.{_PUBLIC[name]}"), name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return sorted([*globals(), *_PUBLIC])
