"""Checks features.json of a prepared TFDS data set before TFDS reads it.

The file names the class of each feature, and TFDS imports the module of a class
that it does not know: whoever wrote the file would choose what is run.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short

FILE = "features.json"
# As TFDS reads them: in its present form, in the one before, and in protocol
# buffers' two spellings.
_NAMES = ("pythonClassName", "python_class_name", "type")
# Where one form may hold another as a text.
_TEXTS = ("json", "content")
_PACKAGE = "tensorflow_datasets."


def check(folder: pathlib.Path) -> None:
  """Raises UsageError where a data set below a folder names foreign code.

  The folder may be missing.
  """
  for path in sorted(folder.glob(f"**/{FILE}")):
    for name in _classes(strict_json.read(path)):
      if not name.startswith(_PACKAGE):
        raise UsageError(
          f"{path}: names the class {short(name)}, and to read it would run "
          f"its module; only those of {_PACKAGE[:-1]} are read"
        )


def _classes(tree: Any) -> Iterator[str]:
  if isinstance(tree, list):
    for value in tree:
      yield from _classes(value)
  if not isinstance(tree, dict):
    return
  for key, value in tree.items():
    if key in _NAMES and isinstance(value, str):
      yield value
    elif key in _TEXTS and isinstance(value, str) and "{" in value:
      yield from _classes(strict_json.parse(value, f"{FILE}: {key}"))
    else:
      yield from _classes(value)
