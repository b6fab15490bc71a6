"""Reads records of a TFDS data set as JSON values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lm_jax.support.errors import UsageError, about, advising

Record = dict[str, Any]


def tfds_records(
  name: str, split: str, flag: str
) -> Iterator[tuple[str, Record]]:
  """Yields each record of a TFDS split as JSON values, with its place.

  Raises:
    UsageError: the data set is missing and can't be prepared.
  """
  from lm_jax.data import catalog

  with (
    advising("or name local files by --task_data"),
    about(f"{flag}: its data set {name}"),
  ):
    builder = catalog.find(name)
    catalog.prepare(builder, name)
    source = catalog.source(builder, split)
  names = {
    key: feature.names
    for key, feature in builder.info.features.items()
    if getattr(feature, "names", None)
  }
  examples = catalog.examples(source, f"{name}, {split}")
  for number, record in enumerate(examples):
    where = f"{name}, {split}[{number}]"
    try:
      plain = {key: _plain(x, names.get(key)) for key, x in record.items()}
    except UnicodeDecodeError as error:
      raise UsageError(f"{where}: is not UTF-8: byte {error.start}") from None
    yield where, plain


def _plain(value: Any, names: list[str] | None = None) -> Any:
  """Turns a TFDS value into a JSON value; a class label into its name."""
  if isinstance(value, bytes):
    return value.decode()
  if isinstance(value, dict):
    return {key: _plain(inner) for key, inner in value.items()}
  if isinstance(value, list) or (hasattr(value, "shape") and value.shape):
    return [_plain(inner) for inner in value]
  if names and 0 <= int(value) < len(names):
    return names[int(value)]
  return value.item() if hasattr(value, "item") else value
