"""Adds a user's own files to those that are found by name: --plugins=DIR.

DIR holds folders named after kinds: objectives/, adaptation/, tasks/,
families/, experiments/, trackers/ and templates/, with one file for each thing.
The code of DIR is run only since the command, or `lm_jax.plugins`, names DIR:
no configuration, run or model can name one.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pathlib
import pkgutil
import traceback
from collections.abc import Iterable, Iterator

from lm_jax.support.errors import UsageError, about

FLAG = "--plugins"
HELP = (
  "a directory with your own objectives/, adaptation/, tasks/, families/,"
  " experiments/, trackers/ or templates/, one file for each; may be given"
  " several times"
)
HINT = f"one of your own needs {FLAG}=DIR"
# The folders of DIR whose files are modules, and the package of each.
PACKAGES = {
  kind: f"lm_jax.{kind}"
  for kind in (
    *("objectives", "adaptation", "tasks", "families", "experiments"),
    "trackers",
  )
}
TEMPLATES, TEMPLATE_SUFFIX = "templates", ".jinja"
SHIPPED_TEMPLATES = pathlib.Path(__file__).parents[1] / "prompting/templates"

# The directories that were added, resolved, each with how it was given.
_added: dict[pathlib.Path, str] = {}


def plugins(directory: str | os.PathLike) -> None:
  """Adds the objectives, tasks, ... of a directory, as `--plugins=DIR` does.

  It is called before any model is loaded: families are found once.

  Raises:
    UsageError: it holds none of them, or a file whose name is taken.
  """
  add(os.fspath(directory), "lm_jax.plugins: directory")


def add(directory: str, flag: str = FLAG) -> None:
  """Adds a directory, which a flag named; one that was added stays as it is.

  Raises:
    UsageError: it holds none of the folders, or a file whose name is taken.
  """
  where = f"{flag}={directory}"
  kinds = (*PACKAGES, TEMPLATES)
  root = pathlib.Path(directory).expanduser().resolve()
  there = [kind for kind in kinds if directory and (root / kind).is_dir()]
  with about(where):
    if not there:
      raise UsageError(
        f"must be a directory with one of the folders {', '.join(kinds)}, or"
        " several"
      )
    if root in _added:
      return
    for kind in there:
      _require_new_names(root / kind, kind)
  for kind in there:
    if kind in PACKAGES:
      importlib.import_module(PACKAGES[kind]).__path__.append(str(root / kind))
  _added[root] = where
  importlib.invalidate_caches()


def directories() -> list[str]:
  """Returns the directories that were added, resolved, for records."""
  return [str(root) for root in _added]


def folders(kind: str) -> list[pathlib.Path]:
  """Returns the folders of a kind in the directories that were added."""
  paths = (root / kind for root in _added)
  return [folder for folder in paths if folder.is_dir()]


@contextlib.contextmanager
def faults_named() -> Iterator[None]:
  """Turns an error of a user's file into a UsageError that names file and line.

  Errors that pass through no line of an added directory are left alone.
  """
  try:
    yield
  except UsageError:
    raise
  except Exception as error:
    place = _own_line(error)
    if not place:
      raise
    reason = " ".join(traceback.format_exception_only(error)[-1].split())
    raise UsageError(f"{place}: {reason}") from error


def owner(file: str | None) -> str:
  """Returns how the directory of a file was given; "" of other files."""
  parents = pathlib.Path(file or "").parents
  return next((_added[root] for root in parents if root in _added), "")


def _require_new_names(folder: pathlib.Path, kind: str) -> None:
  """Raises UsageError if a file has the name of one that is found already."""
  before: Iterable[str] = map(str, (SHIPPED_TEMPLATES, *folders(kind)))
  if kind in PACKAGES:
    before = importlib.import_module(PACKAGES[kind]).__path__
  taken = {name: place for place in before for name in _names(place, kind)}
  for name in sorted(_names(folder, kind)):
    if name in taken:
      end = TEMPLATE_SUFFIX if kind == TEMPLATES else ".py"
      raise UsageError(
        f"{kind}/{name}{end}: the name is taken by"
        f" {pathlib.Path(taken[name], name + end)}; give it another one"
      )


def _names(folder: str | os.PathLike, kind: str) -> set[str]:
  if kind == TEMPLATES:
    files = pathlib.Path(folder).glob(f"*{TEMPLATE_SUFFIX}")
    return {path.stem for path in files}
  return {module.name for module in pkgutil.iter_modules([str(folder)])}


def _own_line(error: BaseException) -> str:
  """Finds the last line of a user's file in an error; "" if there is none."""
  if isinstance(error, SyntaxError) and owner(error.filename):
    return f"{owner(error.filename)}: {error.filename}:{error.lineno}"
  for frame in reversed(traceback.extract_tb(error.__traceback__)):
    if owner(frame.filename):
      return f"{owner(frame.filename)}: {frame.filename}:{frame.lineno}"
  return ""
