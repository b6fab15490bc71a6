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
import itertools
import math
import pathlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

from lm_jax.support import plugins, registry
from lm_jax.support.errors import UsageError, about, short

if TYPE_CHECKING:
  from lm_jax.config import Config

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


class Experiment:
  """An experiment's file: BASELINE, SEEDS, `runs` and what else it defines.

  A fault of the file is a UsageError that names it and the line.
  """

  def __init__(self, module: ModuleType, where: str):
    self._module, self._where = module, where
    self.__doc__ = module.__doc__

  def __getattr__(self, name: str) -> Any:
    return getattr(self._module, name)

  def runs(self, *arguments: Any) -> list[Config]:
    """Returns its arms, a configuration each.

    Raises:
      UsageError: the file's own `runs` raises, or returns something else.
    """
    from lm_jax import config as config_lib

    place = _place_of(self._module, "runs")
    with _faults_named(self._where, place):
      arms = self._module.runs(*arguments)
    what = short(arms)
    if isinstance(arms, list | tuple):
      others = [a for a in arms if not isinstance(a, config_lib.Config)]
      if arms and not others:
        for arm in arms:  # Fields of a dataclass take anything.
          name = f"arm {short(arm.arm or arm.objective)}"
          with _faults_named(self._where, place):
            config_lib.from_json(config_lib.to_json(arm), name)
        return list(arms)
      what = f"a list with {short(others[0])}" if others else "an empty list"
    raise UsageError(
      f"{self._where}: {place}: runs() returns {what}; it must be a list of"
      " lm_jax.config.Config, one for each arm"
    )

  def require_baseline(self, arms: Sequence[str]) -> None:
    """Raises UsageError if BASELINE is none of the arms that `runs` returns."""
    baseline = self._module.BASELINE
    if baseline not in arms:
      place = _place_of(self._module, "BASELINE")
      with about(f"{self._where}: {place}"):
        raise registry.unknown("BASELINE", baseline, arms)


def load(name: str) -> Experiment:
  """Imports an experiment by its name, or by the path of its file.

  Raises:
    UsageError: there is no such experiment, or its file is none.
  """
  module, where = import_file(name), f"{_FLAG}={name}"
  for attribute in ("BASELINE", "SEEDS", "runs"):
    if not hasattr(module, attribute):
      raise UsageError(
        f"{where}: {module.__file__} has no {attribute}; an experiment"
        " has BASELINE, SEEDS and runs()"
      )
  for attribute, (is_valid, valid_values) in _rules().items():
    value = getattr(module, attribute, None)
    if hasattr(module, attribute) and not is_valid(value):
      raise UsageError(
        f"{where}: {_place_of(module, attribute)}: {attribute}={short(value)}:"
        f" must be {valid_values}"
      )
  _require_fields(module, name)
  return Experiment(module, where)


def _is_count(value: Any, least: int) -> bool:
  return type(value) is int and value >= least


def _are_names(values: Any) -> bool:
  return isinstance(values, list | tuple) and all(
    isinstance(value, str) for value in values
  )


def _are_counts(values: Any) -> bool:
  return isinstance(values, Mapping) and all(
    isinstance(arm, str) and _is_count(value, 0)
    for arm, value in values.items()
  )


# Fields of an experiment: whether a value is valid, and which ones are.
_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
  "BASELINE": (
    lambda value: isinstance(value, str) and value != "",
    "the name of an arm",
  ),
  "SEEDS": (
    lambda value: isinstance(value, str) or _is_count(value, 1),
    "a number of seeds, at least 1, or text as of --seeds",
  ),
  "DIFFERS": (_are_names, 'a tuple of names, ("tokens", "epochs")'),
  "TRIALS": (_are_counts, 'numbers of runs by arm, {"clm": 5}'),
  "runs": (callable, "a function that returns the arms"),
}


def _rules() -> dict[str, tuple[Callable[[Any], bool], str]]:
  """Returns _FIELDS, and those of an experiment that is preregistered."""
  from lm_jax.report.metrics import METRICS
  from lm_jax.statistics.differences import MIN_SEEDS
  from lm_jax.statistics.equivalence import DIRECTIONS

  ranked = [name for name in METRICS if METRICS[name].higher_better is not None]

  def are_looks(values: Any) -> bool:
    return (
      isinstance(values, list | tuple)
      and len(values) > 0
      and all(_is_count(value, MIN_SEEDS) for value in values)
      and all(a < b for a, b in itertools.pairwise(values))
    )

  return _FIELDS | {
    "PRIMARY": (
      lambda value: isinstance(value, str) and value in ranked,
      f"a measure that compares between arms: {', '.join(ranked)}",
    ),
    "SMALLEST_EFFECT": (
      lambda value: type(value) in (int, float) and 0 < value < math.inf,
      "a number above 0, in the unit in which the measure is shown",
    ),
    "DIRECTION": (
      lambda value: value in DIRECTIONS,
      f"one of {', '.join(DIRECTIONS)}",
    ),
    "LOOKS": (
      are_looks,
      f"increasing numbers of seeds, each at least {MIN_SEEDS}",
    ),
  }


def _require_importable(path: pathlib.Path, where: str) -> None:
  """Raises UsageError where a file's name is none that is looked for."""
  stem = path.stem
  if "." in stem or stem.startswith("_") or stem in registry.SHARED:
    raise UsageError(
      f"{where}: an experiment's file has no other dot in its name, does not"
      f" begin with _ and is not called {' or '.join(sorted(registry.SHARED))}"
    )


def import_file(name: str, flag: str = _FLAG) -> ModuleType:
  """Imports the file of an experiment, or of a claim, by its name or path.

  Raises:
    UsageError: there is no such file, or it can't be imported.
  """
  path = pathlib.Path(name)
  where = f"{flag}={name}"
  if path.suffix == ".py" or len(path.parts) > 1:
    if path.suffix != ".py" or not path.is_file():
      raise UsageError(f"{where}: no such file, and no name")
    _require_importable(path, where)
    _search(path.parent)
  elif name not in (valid := names()):
    raise registry.unknown(flag, name, valid)
  return _import(path.stem, where)


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
  with _faults_named(where), _first_on_path(pathlib.Path(__path__[0]).parent):
    return registry.module(__name__, name, _FLAG)


@contextlib.contextmanager
def _faults_named(where: str, usual: str = "") -> Iterator[None]:
  """Turns any error of an experiment's file into a line with its place.

  Raises UsageError: "--experiment=NAME: FILE, line 3: TypeError: ...".

  Args:
    where: the flag.
    usual: the place of an error that no line of the file is part of.
  """
  try:
    yield
  except UsageError as error:
    place = _place_in(error) or usual
    if not place:
      raise  # of a name that does not exist; or of a plugin, which it names
    with about(f"{where}: {place}"):
      raise
  except (Exception, SystemExit) as error:
    reason = " ".join(traceback.format_exception_only(error)[-1].split())
    if isinstance(error, ImportError):
      reason = f"can't be imported: {error}"
    place = _place_in(error) or usual
    if isinstance(error, SyntaxError):
      reason = error.msg
      place = f"{error.filename}, line {error.lineno}"
    raise UsageError(
      f"{where}: {place + ': ' if place else ''}{reason}"
    ) from error


def _place_in(error: BaseException) -> str:
  """Finds the last line of an experiment's file in an error; "" for none."""
  for frame in reversed(traceback.extract_tb(error.__traceback__)):
    if str(pathlib.Path(frame.filename).parent) in __path__:
      return f"{frame.filename}, line {frame.lineno}"
  return ""


def _place_of(module: ModuleType, name: str) -> str:
  """Returns a module's file, and the line that binds a name, if it has one."""
  file = str(module.__file__)
  lines = [
    node.lineno
    for node in ast.parse(pathlib.Path(file).read_bytes()).body
    if name in _bound(node)
  ]
  return f"{file}, line {lines[-1]}" if lines else file


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
  if isinstance(node, ast.Assign | ast.AnnAssign):
    return [
      part.id
      for part in ast.walk(node)
      if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
  return [node.name] if isinstance(node, ast.FunctionDef) else []
