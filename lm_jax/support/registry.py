"""Finds what can be named: the file system is the registry.

A name is the name of a file in a package, or in a folder that `plugins` adds
to it. Nothing is imported to list names or summaries, so that `list` and usage
errors stay fast.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import pathlib
import pkgutil
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any, TypeVar

from lm_jax.support import plugins
from lm_jax.support.errors import UsageError

T = TypeVar("T")

# Files beside the named ones that hold what those share.
SHARED = frozenset({"base", "corrupt"})
# By package and name: the file that was imported, and the class in it.
_FOUND: dict[tuple[str, str], tuple[ModuleType, Any]] = {}


def names(package: str) -> list[str]:
  """The names that a package offers, sorted; [] if there is no such package.

  Files and sub-packages count, except `SHARED` and what starts with "_".
  """
  spec = importlib.util.find_spec(package)
  if spec is None:
    return []
  modules = pkgutil.iter_modules(spec.submodule_search_locations)
  return sorted(
    module.name
    for module in modules
    if module.name not in SHARED and not module.name.startswith("_")
  )


def summary(package: str, name: str) -> str:
  """The first line of a file's docstring, read without importing it."""
  spec = importlib.util.find_spec(package)
  if spec is None or spec.submodule_search_locations is None:
    raise ModuleNotFoundError(package)
  for folder in spec.submodule_search_locations:
    for path in (f"{name}.py", f"{name}/__init__.py"):
      file = pathlib.Path(folder, path)
      if file.exists():
        with plugins.faults_named():
          parsed = ast.parse(file.read_bytes(), str(file))
        text = ast.get_docstring(parsed) or ""
        return text.partition("\n")[0]
  raise ModuleNotFoundError(f"{package}.{name}")


def module(package: str, name: str, flag: str) -> ModuleType:
  """Imports a package's file that the user named by a flag, or UsageError."""
  valid = names(package)
  if name not in valid:
    error = unknown(flag, name, valid)
    if package not in plugins.PACKAGES.values():
      raise error
    raise UsageError(f"{error}; {plugins.HINT}")
  return _import(package, name)


def find(package: str, name: str, base: type[T], flag: str) -> type[T]:
  """Returns the one public subclass of `base` that the named file defines.

  A file that was imported before is not looked for again.
  """
  loaded = sys.modules.get(f"{package}.{name}")
  known = _FOUND.get((package, name))
  if known is not None and loaded is not None:
    file, cls = known
    if file is loaded and issubclass(cls, base):
      return cls
  return _load(package, name, base, module(package, name, flag))


def every(package: str, base: type[T]) -> dict[str, type[T]]:
  """Returns the subclasses of `base` of all files of a package, by name."""
  return {
    name: _load(package, name, base, _import(package, name))
    for name in names(package)
  }


def _import(package: str, name: str) -> ModuleType:
  """Imports a file; UsageError if it is a user's and has a fault."""
  with plugins.faults_named():
    return importlib.import_module(f"{package}.{name}")


def _load(package: str, name: str, base: type[T], file: ModuleType) -> type[T]:
  """Returns the one public subclass of `base` of a file, and remembers it."""
  classes = [
    value
    for key, value in vars(file).items()
    if isinstance(value, type)
    and issubclass(value, base)
    and value.__module__ == file.__name__
    and not key.startswith("_")
  ]
  if len(classes) != 1:
    message = (
      f"must define one subclass of {base.__name__}, it defines {len(classes)}"
    )
    where = plugins.owner(file.__file__)
    if where:
      raise UsageError(f"{where}: {file.__file__}: {message}")
    raise TypeError(f"{file.__name__} {message}")
  _FOUND[package, name] = (file, classes[0])
  return classes[0]


def nearest(name: str, valid: Iterable[str]) -> list[str]:
  """Up to three valid names that end almost as `name` does.

  Dotted names are alike in their last part: "learning_rat" is near to
  "optimizer.learning_rate"; one that ends in the very name is near alone.
  Those of the same group come first.
  """
  group, _, last = name.rpartition(".")
  by_last: dict[str, list[str]] = {}
  for other in valid:
    by_last.setdefault(other.rpartition(".")[2], []).append(other)
  close = [last] if last in by_last else []
  close = close or difflib.get_close_matches(last, by_last, n=3, cutoff=0.6)
  near = [other for end in close for other in by_last[end]]
  near.sort(key=lambda other: other.rpartition(".")[0] != group)
  return near[:3]


def unknown(
  what: str, name: str, valid: Iterable[str], listing: bool = True
) -> UsageError:
  """The error for a name that does not exist.

  Args:
    what: the flag or place, "--objective"; "" for a bare word.
    name: what was given.
    valid: what exists.
    listing: whether to name all of them.
  """
  valid, name = list(valid), name[:80]  # a longer one is near to nothing
  message = f"{what}={name}: unknown" if what else f"{name}: unknown"
  close = nearest(name, valid)
  group = name.partition(".")[0]
  own = [other for other in valid if other.startswith(f"{group}.")]
  if close:
    message += f"; did you mean {' or '.join(close)}?"
  elif own and not listing:
    message += f". {group} has: {', '.join(own)}"
  elif not listing:
    message += "; `train --help` lists what there is"
  if listing:
    separator = "" if close else "."
    message += f"{separator} Valid: {', '.join(valid) or 'none'}"
  return UsageError(message)
