"""Finds claims by name: experiments/published/NAME.py, or a path."""

from __future__ import annotations

import dataclasses
import pathlib

from lm_jax import experiments
from lm_jax.published.claim import Claim
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

_FOLDER = "published"
_WHERE = "reproduce"


@dataclasses.dataclass(frozen=True)
class File:
  """A claim's file; `path` is that of an experiment, too, if it has arms."""

  name: str
  path: str
  claim: Claim
  has_arms: bool


def paths() -> dict[str, pathlib.Path]:
  """Returns the file of each claim by name, the user's own first, sorted."""
  experiments.names()  # which looks into experiments/ of this directory
  known: dict[str, pathlib.Path] = {}
  for folder in experiments.__path__:
    for path in pathlib.Path(folder, _FOLDER).glob("[!_]*.py"):
      known.setdefault(path.stem, path)
  return dict(sorted(known.items()))


def load(name: str) -> File:
  """Loads a claim by its name, or by the path of its file.

  Raises:
    UsageError: there is no such claim, or its file has none.
  """
  path = pathlib.Path(name)
  if path.suffix != ".py":
    known = paths()
    if name not in known:
      raise registry.unknown(_WHERE, name, known)
    path = known[name]
  module = experiments.import_file(str(path), _WHERE)
  claim = getattr(module, "CLAIM", None)
  if not isinstance(claim, Claim):
    raise UsageError(
      f"{_WHERE}={name}: {path} has no CLAIM = Claim(...), which makes it one"
    )
  return File(path.stem, str(path), claim, hasattr(module, "runs"))
