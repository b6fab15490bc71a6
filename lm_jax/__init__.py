"""lm_jax: which pretraining objective should I use under my budget?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from lm_jax.api import LanguageModel as LanguageModel
  from lm_jax.api import evaluate as evaluate
  from lm_jax.api import load as load

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
  # Only they need jax, and `import lm_jax` stays cheap.
  if name in ("LanguageModel", "evaluate", "load"):
    from lm_jax import api

    return getattr(api, name)
  raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
