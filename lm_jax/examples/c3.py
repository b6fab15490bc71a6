"""Reads C3, Chinese examinations: documents with questions and choices."""

from __future__ import annotations

import pathlib

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.files import Record
from lm_jax.support.errors import UsageError, short

# The data set's two parts, and their names: dialogues, and texts of all kinds.
PARTS = {"d": "dialogue", "m": "mixed"}
MOST = 4
CHOICES = tuple(f"choice{i}" for i in range(MOST))


def nested(path: pathlib.Path) -> files.Source:
  """Yields the questions of a file as published, named DOCUMENT-NUMBER.

  It is a list of documents, each [[text, ...], [{"question", "choice": [...],
  "answer"}], id].

  Raises:
    UsageError: the file is not of this form.
  """
  value = lines.parsed(lines.content(path), path, whole=True)
  if not isinstance(value, list):
    raise UsageError(f"{path}: must be a list of documents")
  for number, document in enumerate(value):
    where = f"{path}, [{number}]"
    if not isinstance(document, list) or not (
      len(document) == 3
      and isinstance(document[0], list)
      and isinstance(document[1], list)
    ):
      raise UsageError(
        f"{where}={short(document)}: must be a list of texts, a list of"
        " questions and an id"
      )
    texts, questions, name = document
    for i, question in enumerate(questions):
      place = f"{where}, question {i}"
      record = files.as_record(question, place)
      yield place, f"{name}-{i}", {**record, "context": texts}


def flat(record: Record) -> Record:
  """Makes the fields of a question: context, question, choice0 to choice3.

  Those that a question does not have are "". The label is the number of the
  first choice that is the answer; "" is a secret answer.

  Raises:
    UsageError: a field is missing or not valid.
  """
  context, choices = (_texts(record, name) for name in ("context", "choice"))
  if not 2 <= len(choices) <= MOST or not all(choices):
    raise UsageError(
      f"field choice={short(choices)}: must be 2 to {MOST} texts"
    )
  answer = files.field(record, "answer")
  if answer and answer not in choices:
    raise UsageError(f"answer {short(answer)}: is none of its choices")
  padded = choices + [""] * (MOST - len(choices))
  return {
    "context": "\n".join(context),
    "question": files.field(record, "question"),
    "label": str(choices.index(answer)) if answer else "",
    **dict(zip(CHOICES, padded, strict=True)),
  }


def _texts(record: Record, name: str) -> list[str]:
  value = files.field(record, name, kind=list)
  if not all(isinstance(text, str) for text in value):
    raise UsageError(f"field {name}={short(value)}: must be a list of texts")
  return value


def parts(place: str, split: str) -> dict[str, pathlib.Path]:
  """Finds the files of a split in a directory, by the part of the data set.

  They are named c3-d-dev.json and so on, or d-dev.json, as in CLUE.
  """
  paths: dict[str, pathlib.Path] = {}
  for letter, part in PARTS.items():
    stems = [
      f"{start}{letter}-{name}"
      for start in ("c3-", "")
      for name in files.NAMES[split]
    ]
    named = (pathlib.Path(place).expanduser() / f"{x}.json" for x in stems)
    path = files.first(one for x in named for one in files.either(x))
    if path is not None:
      paths[part] = path
  return paths
