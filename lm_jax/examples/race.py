"""Reads RACE, examinations of English; each object is one passage."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence

from lm_jax.data import lines
from lm_jax.examples import splits
from lm_jax.examples.labelled import Record
from lm_jax.support.errors import UsageError, short

LETTERS = ("A", "B", "C", "D")


def questions(
  record: Record, where: str, name: str
) -> Iterator[tuple[str, str, Record]]:
  """Yields place, id "PASSAGE-NUMBER" and record of each question.

  Args:
    record: {"article", "questions", "options", "answers"}: equally many of the
      last three; each question has four options and a letter.
    where: its place, for messages.
    name: of the passage if it has no "id" or "example_id".

  Raises:
    UsageError: the record is not of this form.
  """
  name = str(record.get("id", record.get("example_id", name)))
  lists = []
  for key in ("questions", "options", "answers"):
    value = record.get(key)
    if not isinstance(value, list):
      raise UsageError(f"{where}: field {key}={short(value)}: must be a list")
    lists.append(value)
  if len({len(value) for value in lists}) > 1:
    raise UsageError(
      f"{where}: has {', '.join(str(len(x)) for x in lists)} questions, options"
      " and answers; must be as many of each"
    )
  for number, (question, options, letter) in enumerate(
    zip(*lists, strict=True)
  ):
    if not isinstance(options, list) or len(options) != len(LETTERS):
      raise UsageError(
        f"{where}: options[{number}]={short(options)}: must be"
        f" {len(LETTERS)} texts"
      )
    yield (
      f"{where}, questions[{number}]",
      f"{name}-{number}",
      {
        "article": record.get("article"),
        "question": question,
        "label": letter,
        **dict(zip(LETTERS, options, strict=True)),
      },
    )


def read_folder(folder: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Reads the questions of all .txt files below a folder, in order.

  Raises:
    UsageError: a file is no JSON object; see also `questions`.
  """
  for path in sorted(folder.rglob("*.txt")):
    record = lines.parsed(lines.content(path), path, whole=True)
    if not isinstance(record, dict):
      raise UsageError(f"{path}: must be an object, not {short(record)}")
    level = f"{path.parent.name}-" if "id" not in record else ""
    yield from questions(record, str(path), f"{level}{path.name}")


def folders(place: str, names: Sequence[str]) -> list[pathlib.Path]:
  """Lists the folders of a split in RACE's directory."""
  base = pathlib.Path(place).expanduser()
  return [base / name for name in names if (base / name).is_dir()]


def read_jsonl(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Reads the questions of a JSONL file of such objects; see `questions`."""
  for where, name, record in splits.records(path):
    yield from questions(record, where, name)
