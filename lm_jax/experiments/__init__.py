"""Finds experiments by name: the user's own, then those of lm_jax.

Those of lm_jax are in experiments/ of the repository, or in `shipped` here if
it is installed. A user's own are in experiments/ of the current directory, or
at --experiment=PATH.py; of two with one name the user's wins. Those of
--plugins=DIR have names of their own. An experiment
imports another one by `from .compare_objectives import COMMON`.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import pathlib
import sys
from collections.abc import Iterator
from types import ModuleType

from lm_jax.support import plugins, registry
from lm_jax.support.errors import UsageError

_FLAG = "--experiment"
_HERE = pathlib.Path(__file__).parent
_OWN = [
  str(folder)
  for folder in (_HERE / "shipped", _HERE.parents[1] / "experiments")
  if (folder / "compare_objectives.py").exists()
]
# Where `import lm_jax.experiments.NAME` looks, and `registry` too.
__path__[:] = _OWN


def names() -> list[str]:
  """Lists the names of all experiments, sorted."""
  _search(pathlib.Path("experiments"))
  return [name for name in registry.names(__name__) if _has_runs(name)]


def load(name: str) -> ModuleType:
  """Imports an experiment by its name, or by the path of its file.

  Raises:
    UsageError: there is no such experiment, or its file is none.
  """
  path = pathlib.Path(name)
  if path.suffix == ".py" or len(path.parts) > 1:
    if path.suffix != ".py" or not path.is_file():
      raise UsageError(f"{_FLAG}={name}: no such file, and no name")
    _search(path.parent)
  elif name not in (valid := names()):
    raise registry.unknown(_FLAG, name, valid)
  module = _import(path.stem, f"{_FLAG}={name}")
  for attribute in ("BASELINE", "SEEDS", "runs"):
    if not hasattr(module, attribute):
      raise UsageError(
        f"{_FLAG}={name}: {module.__file__} has no {attribute}; an experiment"
        " has BASELINE, SEEDS and runs()"
      )
  _require_fields(module, name)
  return module


def _require_fields(module: ModuleType, name: str) -> None:
  """Raises UsageError where what arms may differ in is no field of theirs."""
  differs = getattr(module, "DIFFERS", ())
  if not differs:
    return
  from lm_jax import config
  from lm_jax.report import panel

  valid = [*panel.NAMES, *config.schema()]
  for field in differs:
    if field not in valid:
      raise registry.unknown(f"{_FLAG}={name}: DIFFERS", field, valid)


def _import(name: str, where: str) -> ModuleType:
  known = sys.modules.get(f"{__name__}.{name}")
  if known and str(pathlib.Path(known.__file__ or "").parent) != __path__[0]:
    del sys.modules[known.__name__]  # of a directory that was searched before
  try:
    with _first_on_path(pathlib.Path(__path__[0]).parent):
      return registry.module(__name__, name, _FLAG)
  except SyntaxError as error:
    raise UsageError(
      f"{where}: {error.filename}, line {error.lineno}: {error.msg}"
    ) from error
  except ImportError as error:
    raise UsageError(f"{where}: can't be imported: {error}") from error


def _search(folder: pathlib.Path) -> None:
  """Searches a folder first, then lm_jax's experiments, then the plugins'."""
  added = map(str, plugins.folders("experiments"))
  __path__[:] = list(dict.fromkeys([str(folder.resolve()), *_OWN, *added]))
  importlib.invalidate_caches()


@contextlib.contextmanager
def _first_on_path(folder: pathlib.Path) -> Iterator[None]:
  """Makes `from experiments.mine import ...` use the user's folder."""
  sys.path.insert(0, str(folder))
  try:
    yield
  finally:
    sys.path.remove(str(folder))


def _has_runs(name: str) -> bool:
  """Returns whether a file has `runs`; a user's folder may hold other files."""
  ends = (f"{name}.py", f"{name}/__init__.py")
  paths = (pathlib.Path(folder, end) for folder in __path__ for end in ends)
  source = next(path for path in paths if path.exists()).read_bytes()
  try:
    body = ast.parse(source).body
  except (SyntaxError, ValueError):
    return b"def runs(" in source  # `load` says what is wrong
  names = {name for node in body for name in _bound(node)}
  return bool({"runs", "*"} & names)


def _bound(node: ast.stmt) -> list[str]:
  """Returns the names that a top-level statement binds."""
  if isinstance(node, ast.ImportFrom):
    return [alias.asname or alias.name for alias in node.names]
  if isinstance(node, ast.Assign):
    return [ast.unparse(target) for target in node.targets]
  return [node.name] if isinstance(node, ast.FunctionDef) else []
