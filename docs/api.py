"""Builds the pages of the Python interface from its docstrings, by pdoc.

`python docs/api.py build/api` writes them; index.html is the first.
"""

from __future__ import annotations

import importlib
import inspect
import pathlib
import sys

# What users call, and the base classes of what they add.
MODULES = (
  "lm_jax",
  "lm_jax.language_model.arrays",
  "lm_jax.config",
  "lm_jax.types",
  "lm_jax.objectives.base",
  "lm_jax.tasks.base",
  "lm_jax.families.base",
  "lm_jax.adaptation.base",
)


def load(name: str) -> None:
  """Imports a module and gives it all of its public names.

  pdoc reads `__all__` and the module's dict. `lm_jax` imports its names when
  they are first used, and `lm_jax.config` has no `__all__`.
  """
  module = importlib.import_module(name)
  if not hasattr(module, "__path__"):
    return
  public = getattr(module, "__all__", None) or [
    key
    for key, value in vars(module).items()
    if not key.startswith("_") and not inspect.ismodule(value)
  ]
  module.__all__ = sorted(public)  # type: ignore[attr-defined]
  for key in public:
    setattr(module, key, getattr(module, key))


def main(folder: str) -> None:
  """Writes the pages into a folder; index.html is the first."""
  import pdoc

  specs = []
  for name in MODULES:
    load(name)
    # A package stands for all modules in it, of which each is named here.
    specs += [name, rf"!{name}\."]
  pdoc.render.configure(docformat="google", search=False)
  pdoc.pdoc(*specs, output_directory=pathlib.Path(folder))


if __name__ == "__main__":
  main(*sys.argv[1:])
