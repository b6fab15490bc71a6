"""Reads labels that stand beside documents: --data.label_key.

They are read from the source and never from the cache: what is trained does not
depend on them.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lm_jax.data import formats, lines
from lm_jax.data.files import FEW, Plan
from lm_jax.support.errors import UsageError, short


def as_label(value: Any) -> str | None:
  """Returns a label as text; None of a value that is none."""
  if isinstance(value, bool | int | str):
    text = str(value).strip()
    return text or None
  return None


def require_files(paths: Iterable[pathlib.Path], key: str) -> None:
  """Raises UsageError where a file has no fields beside the text."""
  for path in paths:
    if not path.name.endswith((".jsonl", ".jsonl.gz")):
      raise UsageError(
        f"--data.label_key={key}: {path} has no fields; labels stand beside the"
        " text in JSON lines (.jsonl)"
      )


def require_known(key: str, fields: Sequence[str]) -> None:
  """Raises UsageError where a corpus has no such field."""
  if key not in fields:
    raise UsageError(
      f"--data.label_key={key}: the corpus has no such field; it has"
      f" {', '.join(fields)}"
    )


def require_field(builder: Any, key: str) -> None:
  """Raises UsageError where a TFDS data set has no such feature."""
  require_known(key, list(builder.info.features))


def of_files(plan: Plan, key: str, split: str) -> Iterator[tuple[str, str]]:
  """Yields the text and the label of each document of a split that has one.

  Raises:
    UsageError: no document of any split has one, or documents are so few that
      each is in all splits.
  """
  if plan.thresholds is None:
    raise UsageError(
      f"--data.label_key={key}: it takes {FEW} different documents, so that"
      " some can be held out whole"
    )
  documents = formats.read(
    plan.paths, plan.text_key, plan.errors, plan.encoding
  )
  some = False
  for (_, text), label in zip(documents, _labels(plan, key), strict=True):
    if label is not None:
      some = True
      if plan.split_of(text) == split and text.strip():
        yield text, label
  if not some:
    raise UsageError(
      f"--data.label_key={key}: no line of {short(str(plan.paths[0]))} has this"
      " field with a text, a whole number, true or false"
    )


def _labels(plan: Plan, key: str) -> Iterator[str | None]:
  """Yields the label of each line that is a document, in their order."""
  for path in plan.paths:
    raw = lines.raw(path, plan.encoding, plan.errors)
    for number, data in enumerate(raw, start=1):
      line = data.decode("utf-8", "replace").removeprefix("\ufeff")
      if line.strip():
        where = f"{path}, line {number}"
        yield as_label(lines.parsed(line.encode(), where).get(key))
