"""facts.json of rows in the cache, held to the files that it tells of."""

from __future__ import annotations

import pathlib
from typing import Any

from lm_jax import strict_json
from lm_jax.data.corpus import SPLITS
from lm_jax.errors import UsageError, short

FILE = "facts.json"
_ITEMSIZE = {"uint16": 2, "int32": 4}


def read(folder: pathlib.Path, fields: int) -> dict[str, Any]:
  """What facts.json says, once the files are as long as it says.

  Args:
    folder: of the cache.
    fields: of a row.

  Raises:
    UsageError: it, or a file that it tells of, is damaged. (A map of a file
      that is too short would end in an error of the system, or in none.)
  """
  found = strict_json.read(folder / FILE)

  def damaged(what: str) -> UsageError:
    return UsageError(
      f"{folder}: is damaged: {what}; remove it, and it is made again"
    )

  if not isinstance(found, dict):
    raise damaged(f"{FILE} holds no object")
  counts, length = found.get("rows"), found.get("length")
  size = _ITEMSIZE.get(str(found.get("dtype")))
  if type(length) is not int or length < 1 or size is None:
    raise damaged(f"length or dtype in {FILE}")
  if not isinstance(found.get("fingerprint"), str):
    raise damaged(f"the fingerprint in {FILE}")
  if not isinstance(counts, dict) or set(counts) != set(SPLITS):
    raise damaged(f"rows={short(counts)} in {FILE}")
  for split, count in counts.items():
    if type(count) is not int or count < 0:
      raise damaged(f"rows of {split}={short(count)} in {FILE}")
    for name, row in (("rows", fields * length * size), ("bytes", 4)):
      path = folder / f"{split}.{name}"
      there = path.stat().st_size if path.is_file() else 0
      if there != count * row:
        raise damaged(
          f"{path.name} has {there} bytes, and {short(count)} rows take "
          f"{short(count * row)}"
        )
  return found
