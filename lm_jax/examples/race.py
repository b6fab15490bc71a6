"""Reads RACE, examinations of English; each object is one passage."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.files import Record
from lm_jax.support.errors import UsageError, short

LETTERS = ("A", "B", "C", "D")


def questions(record: Record, name: str) -> Iterator[tuple[str, Record]]:
  """Yields id "PASSAGE-NUMBER" and record of each question.

  Args:
    record: {"article", "questions", "options", "answers"}: equally many of the
      last three; each question has four options and a letter.
    name: of the passage if it has no "id" or "example_id".

  Raises:
    UsageError: the record is not of this form.
  """
  name = str(record.get("id", record.get("example_id", name)))
  lists = [
    files.field(record, key, kind=list)
    for key in ("questions", "options", "answers")
  ]
  if len({len(value) for value in lists}) > 1:
    raise UsageError(
      f"has {', '.join(str(len(x)) for x in lists)} questions, options"
      " and answers; must be as many of each"
    )
  for number, (question, options, letter) in enumerate(
    zip(*lists, strict=True)
  ):
    if not isinstance(options, list) or len(options) != len(LETTERS):
      raise UsageError(
        f"options[{number}]={short(options)}: must be {len(LETTERS)} texts"
      )
    flat = {
      "article": record.get("article"),
      "question": question,
      "label": letter,
    }
    yield f"{name}-{number}", flat | dict(zip(LETTERS, options, strict=True))


def read_folder(folder: pathlib.Path) -> files.Source:
  """Yields the passages of all .txt files below a folder, in order.

  Raises:
    UsageError: a file is no JSON object.
  """
  for path in sorted(folder.rglob("*.txt")):
    value = lines.parsed(lines.content(path), path, whole=True)
    record = files.as_record(value, path)
    yield str(path), f"{path.parent.name}-{path.name}", record


def folders(place: str, names: Sequence[str]) -> list[pathlib.Path]:
  """Lists the folders of a split in RACE's directory."""
  base = pathlib.Path(place).expanduser()
  return [base / name for name in names if (base / name).is_dir()]
