"""lm_jax: which pretraining objective should I use under my budget?"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lm_jax.support.version import __version__ as __version__

if TYPE_CHECKING:
  from lm_jax.api.experiments import Experiment as Experiment
  from lm_jax.api.experiments import Run as Run
  from lm_jax.api.experiments import compare as compare
  from lm_jax.api.experiments import finetune as finetune
  from lm_jax.api.experiments import train as train
  from lm_jax.api.figures import plot as plot
  from lm_jax.api.model import evaluate as evaluate
  from lm_jax.api.model import load as load
  from lm_jax.api.results import results as results
  from lm_jax.language_model import LanguageModel as LanguageModel
  from lm_jax.support.errors import UsageError as UsageError
  from lm_jax.support.plugins import plugins as plugins


# Where each public name is defined: these need jax, and so are imported when
# they are first used, for `import lm_jax` to stay cheap.
_PUBLIC = {
  "Experiment": "api.experiments",
  "LanguageModel": "language_model",
  "Run": "api.experiments",
  "UsageError": "support.errors",
  "compare": "api.experiments",
  "evaluate": "api.model",
  "finetune": "api.experiments",
  "load": "api.model",
  "plot": "api.figures",
  "plugins": "support.plugins",
  "results": "api.results",
  "train": "api.experiments",
}
__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
  if name in _PUBLIC:
    return getattr(importlib.import_module(f"lm_jax.{_PUBLIC[name]}"), name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
  return sorted([*globals(), *_PUBLIC])
