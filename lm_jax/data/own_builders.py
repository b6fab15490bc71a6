"""Opens a user's own TFDS data sets: their code, or their prepared files.

A builder is made as TFDS teaches: my_dataset/my_dataset_dataset_builder.py with
a class Builder (`tfds new`), or a module my_dataset with a class MyDataset.
Reading prepared files runs none of its code. The code is run only where the
command line names the data set: a configuration that somebody else wrote can
name any.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import pathlib
import re
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from typing import Any

from lm_jax.data import tfds_features_check
from lm_jax.support.errors import UsageError, causes

# dataset[/config][:version], as TFDS names one.
NAME = re.compile(r"[A-Za-z_]\w*(/[\w.+-]+)?(:\d+\.\d+\.\d+)?")
_VERSION = re.compile(r"/(\d+\.\d+\.\d+)$")
_INFO = "dataset_info.json"

_allowed: set[str] = set()


def allow(corpus: str) -> None:
  """Allows the code of the builders in a --data.corpus of the user to run."""
  for part in corpus.split(","):
    _allowed.update({part, part.rpartition(":")[0]})


def plain(corpus: str) -> str:
  """Rewrites a version in TFDS's form: after a colon, not a slash."""
  return _VERSION.sub(r":\1", corpus)


def is_directory(corpus: str) -> bool:
  """Returns whether a path holds a prepared data set or builder code."""
  path = pathlib.Path(corpus).expanduser()
  return bool(_prepared_below(path) or _code(path))


def from_directory(corpus: str) -> Any:
  """Returns the builder of a path for which `is_directory` holds.

  Raises:
    UsageError: it holds several data sets, or code that may not be run.
  """
  import tensorflow_datasets as tfds

  path = pathlib.Path(corpus).expanduser().resolve()
  folders = _prepared_below(path)
  if folders:
    if len({folder.parent for folder in folders}) > 1:
      names = ", ".join(str(folder.relative_to(path)) for folder in folders)
      raise UsageError(f"holds several: {names}")
    newest = max(folders, key=_version)
    tfds_features_check.check(newest)
    return tfds.builder_from_directory(newest)
  name = path.stem.removesuffix("_dataset_builder")
  if corpus not in _allowed:
    before = prepared(name)
    if before is not None:
      return before
    raise UsageError(
      "holds the code of a builder, which is run only if --data.corpus of the"
      " command line names it"
    )
  folder = path if path.is_dir() else path.parent
  within = folder.parent if folder.name == name else folder
  sys.path.insert(0, str(within))
  try:
    import_code(name)
  finally:
    sys.path.remove(str(within))
  with faults_named():
    return tfds.builder(name, file_format="array_record")


def prepared(name: str) -> Any:
  """Returns the builder of a data set in TFDS's directories; None if absent."""
  import tensorflow_datasets as tfds

  for folder in tfds.core.utils.file_utils.list_data_dirs():
    tfds_features_check.check(pathlib.Path(folder, re.split("[/:]", name)[0]))
  try:
    return tfds.core.read_only_builder.builder_from_files(name)
  except tfds.core.DatasetNotFoundError:
    return None


def may_import(corpus: str) -> bool:
  """Returns whether the command line names it, so that its code may run."""
  return corpus in _allowed


def import_code(name: str) -> bool:
  """Imports a builder by name, which registers it; False if there is none."""
  try:
    spec = importlib.util.find_spec(name)
  except (ImportError, ValueError):
    return False
  if spec is None:
    return False
  modules = []
  for folder in map(pathlib.Path, spec.submodule_search_locations or ()):
    modules += [(name, end) for end in _ends(name) if (folder / end).exists()]
  if not modules and _is_builder(pathlib.Path(spec.origin or "")):
    modules = [("", f"{name}.py")]
  if not modules:
    return False
  package, file = modules[0]
  module = f"{package}.{file[:-3]}".lstrip(".")
  try:
    with faults_named():
      importlib.import_module(module)
  except ModuleNotFoundError as error:
    raise UsageError(
      f"its builder takes the module {error.name}, which is not installed;"
      " where it is, run `tfds build --file_format=array_record` and copy the"
      " result into $TFDS_DATA_DIR"
    ) from error
  return True


@contextlib.contextmanager
def faults_named() -> Iterator[None]:
  """Turns errors of a builder's own code into a UsageError of one line.

  Errors that pass through no line of the user's code are left alone, and so are
  those of the system and of modules that are not installed.
  """
  try:
    yield
  except (UsageError, ModuleNotFoundError, OSError):
    raise
  except Exception as error:
    reason = " ".join(str(error).split())
    if isinstance(error, TypeError) and "abstract" in reason:
      raise UsageError(reason) from error
    place, cause = _own_line(error)
    if not place:
      raise
    reason = " ".join(traceback.format_exception_only(cause)[-1].split())
    raise UsageError(f"its builder fails at {place}: {reason}") from error


def _own_line(error: BaseException) -> tuple[str, BaseException]:
  """Finds the last line of the user's code in an error, and that error.

  The line is "" where there is none.
  """
  foreign = [sysconfig.get_path(x) for x in ("stdlib", "purelib", "platlib")]
  foreign.append(str(pathlib.Path(__file__).parents[1]))
  for last in causes(error):
    if isinstance(last, SyntaxError) and last.filename:
      return f"{last.filename}:{last.lineno}", last
    for frame in reversed(traceback.extract_tb(last.__traceback__)):
      ours = frame.filename.startswith((*foreign, "<"))
      if not ours:
        return f"{frame.filename}:{frame.lineno}", last
  return "", error


def _ends(name: str) -> tuple[str, str]:
  return f"{name}_dataset_builder.py", f"{name}.py"


def _is_builder(path: pathlib.Path) -> bool:
  if path.suffix != ".py" or not path.is_file():
    return False
  if path.stem.endswith("_dataset_builder"):
    return True
  return b"tensorflow_datasets" in path.read_bytes()


def _code(path: pathlib.Path) -> bool:
  """Returns whether a path is a builder's folder or file."""
  if path.is_dir():
    return any(_is_builder(path / end) for end in _ends(path.resolve().name))
  return _is_builder(path)


def _prepared_below(path: pathlib.Path) -> list[pathlib.Path]:
  """Returns a prepared directory, or the prepared versions below it."""
  for pattern in (_INFO, f"*/{_INFO}", f"*/*/{_INFO}"):
    folders = [
      info.parent
      for info in sorted(path.glob(pattern))
      if (info.parent / tfds_features_check.FILE).exists()
    ]
    if folders:
      return folders
  return []


def _version(folder: pathlib.Path) -> tuple[int, ...]:
  parts = folder.name.split(".")
  return tuple(int(part) if part.isdecimal() else -1 for part in parts)
