"""Reads the two SuperGLUE tasks of passages with several questions."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from lm_jax.examples import files
from lm_jax.examples.files import Record
from lm_jax.support.errors import UsageError, short

PLACEHOLDER = "@placeholder"


class Cloze(NamedTuple):
  """A query with a placeholder, about a passage of ReCoRD.

  entities: candidates for the placeholder, in the order of the passage.
  answers: the right ones, each with the index of its first character.
  """

  id: str
  passage: str
  query: str
  entities: tuple[str, ...]
  answers: tuple[tuple[str, int], ...]


def multirc(record: Record, name: str) -> Iterator[tuple[str, Record]]:
  """Yields id and flat record of each answer to a question.

  The id is "PASSAGE-QUESTION-ANSWER", in numbers.

  Args:
    record: as published, {"passage": {"text", "questions": [{"question",
      "answers": [{"text", "label"}]}]}}, or flat, in the form of TFDS.
    name: of the record.

  Raises:
    UsageError: the record is not valid.
  """
  passage, idx = record.get("passage"), record.get("idx", name)
  if not isinstance(passage, dict):
    if isinstance(idx, dict):
      numbers = [idx.get(x) for x in ("paragraph", "question", "answer")]
      name = "-".join(map(str, numbers))
    yield name, _bare(record)
    return
  text = files.field(passage, "text")
  for i, question in enumerate(_objects(passage, "questions")):
    asked = files.field(question, "question")
    for j, answer in enumerate(_objects(question, "answers")):
      numbers = [idx, question.get("idx", i), answer.get("idx", j)]
      flat = {"paragraph": text, "question": asked, **answer}
      flat["answer"] = flat.pop("text", None)
      yield "-".join(map(str, numbers)), _bare(flat)


def _bare(record: Record) -> Record:
  """Removes the HTML tags that some passages have."""
  text = str(record.get("paragraph", ""))
  return record | {"paragraph": re.sub("</?b>", "", text.replace("<br>", " "))}


def clozes(record: Record, name: str) -> Iterator[Cloze]:
  """Makes the queries of a record of ReCoRD.

  Args:
    record: as published, {"passage": {"text", "entities": [{"start", "end"}]},
      "qas": [{"query", "answers": [{"text"}]}]}, or flat, in the form of TFDS:
      passage, query, entities, answers.
    name: of the record.

  Raises:
    UsageError: the record is not valid.
  """
  passage, idx = record.get("passage"), record.get("idx")
  if not isinstance(passage, dict):
    if isinstance(idx, dict):
      name = str(idx.get("query", name))
    text = files.field(record, "passage")
    names, right = (
      list(map(str, files.field(record, key, kind=list)))
      for key in ("entities", "answers")
    )
    yield _cloze(name, text, files.field(record, "query"), names, right)
    return
  text = files.field(passage, "text")
  entities = []
  for span in _objects(passage, "entities"):
    # The end is the last character.
    first, last = (files.field(span, x, kind=int) for x in ("start", "end"))
    entities.append((first, text[first : last + 1]))
  names = [entity for _, entity in sorted(entities)]
  for i, question in enumerate(_objects(record, "qas")):
    right = [files.field(x, "text") for x in _objects(question, "answers")]
    query = files.field(question, "query")
    number = str(question.get("idx", f"{name}-{i}"))
    yield _cloze(number, text, query, names, right)


def _cloze(
  name: str, text: str, query: str, entities: list[str], right: list[str]
) -> Cloze:
  if PLACEHOLDER not in query:
    raise UsageError(f"query {short(query)}: has no {PLACEHOLDER}")
  places = [(answer, text.find(answer)) for answer in dict.fromkeys(right)]
  answers = tuple((answer, at) for answer, at in places if at >= 0)
  if right and not answers:
    raise UsageError(f"answer {short(right[0])}: does not stand in the passage")
  return Cloze(name, text, query, tuple(dict.fromkeys(entities)), answers)


def first(
  path: pathlib.Path, make: Callable[[Record, str], Iterable[Any]]
) -> Any:
  """Makes the first example of a file; None if there is none.

  It shows whether the right answers are secret, as in SuperGLUE's test splits.
  """
  return next(files.all_made(files.records(path), make), None)


def _objects(value: Record, name: str) -> list[Record]:
  """Returns a field that is a list of objects; [] if it is missing."""
  objects = value.get(name, [])
  if not isinstance(objects, list) or not all(
    isinstance(x, dict) for x in objects
  ):
    raise UsageError(
      f"field {name}={short(objects)}: must be a list of objects"
    )
  return objects
