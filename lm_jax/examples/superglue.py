"""Reads the two SuperGLUE tasks of passages with several questions."""

from __future__ import annotations

import itertools
import pathlib
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from lm_jax.examples import labelled, splits
from lm_jax.examples.labelled import Record
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


def multirc(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Yields place, id and record of each answer to a question.

  The id is "PASSAGE-QUESTION-ANSWER", in numbers.

  Args:
    path: JSONL as published, {"passage": {"text", "questions": [{"question",
      "answers": [{"text", "label"}]}]}}, or of flat records (`multirc_flat`).

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  for where, name, record in splits.records(path):
    passage = record.get("passage")
    if not isinstance(passage, dict):
      yield where, *multirc_flat(record, name)
      continue
    idx = record.get("idx", name)
    text = _field(passage, "text", str, where)
    for i, question in enumerate(_objects(passage, "questions", where)):
      asked = _field(question, "question", str, where)
      for j, answer in enumerate(_objects(question, "answers", where)):
        numbers = idx, question.get("idx", i), answer.get("idx", j)
        flat = {"paragraph": text, "question": asked, **answer}
        flat["answer"] = flat.pop("text", None)
        yield where, "-".join(map(str, numbers)), _bare(flat)


def multirc_flat(record: Record, name: str) -> tuple[str, Record]:
  """Returns id and record of an answer, in the form of TFDS."""
  idx = record.get("idx")
  if isinstance(idx, dict):
    name = "-".join(
      str(idx.get(x)) for x in ("paragraph", "question", "answer")
    )
  return name, _bare(record)


def _bare(record: Record) -> Record:
  """Removes the HTML tags that some passages have."""
  text = str(record.get("paragraph", ""))
  return record | {"paragraph": re.sub("</?b>", "", text.replace("<br>", " "))}


def record(path: pathlib.Path) -> Iterator[Cloze]:
  """Reads the queries of ReCoRD.

  Args:
    path: JSONL as published, {"passage": {"text", "entities": [{"start",
      "end"}]}, "qas": [{"query", "answers": [{"text"}]}]}, or of flat records
      (`record_flat`).

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  for where, name, value in splits.records(path):
    passage = value.get("passage")
    if not isinstance(passage, dict):
      yield record_flat(value, name, where)
      continue
    text = _field(passage, "text", str, where)
    entities = []
    for span in _objects(passage, "entities", where):
      first = _field(span, "start", int, where)
      last = _field(span, "end", int, where)  # its last character
      entities.append((first, text[first : last + 1]))
    listed = [entity for _, entity in sorted(entities)]
    for i, question in enumerate(_objects(value, "qas", where)):
      right = [
        _field(answer, "text", str, where)
        for answer in _objects(question, "answers", where)
      ]
      query = _field(question, "query", str, where)
      number = str(question.get("idx", f"{name}-{i}"))
      yield _cloze(number, text, query, listed, right, where)


def record_flat(value: Record, name: str, where: str) -> Cloze:
  """Reads the query of a flat record: passage, query, entities, answers."""
  idx = value.get("idx")
  if isinstance(idx, dict):
    name = str(idx.get("query", name))
  text = _field(value, "passage", str, where)
  entities, right = (
    list(map(str, _field(value, key, list, where)))
    for key in ("entities", "answers")
  )
  query = _field(value, "query", str, where)
  return _cloze(name, text, query, entities, right, where)


def _cloze(
  name: str,
  text: str,
  query: str,
  entities: list[str],
  right: list[str],
  where: str,
) -> Cloze:
  if PLACEHOLDER not in query:
    raise UsageError(f"{where}: query {short(query)}: has no {PLACEHOLDER}")
  places = [(answer, text.find(answer)) for answer in dict.fromkeys(right)]
  answers = tuple((answer, at) for answer, at in places if at >= 0)
  if right and not answers:
    raise UsageError(
      f"{where}: answer {short(right[0])}: does not stand in the passage"
    )
  return Cloze(name, text, query, tuple(dict.fromkeys(entities)), answers)


def answer_check(
  reader: Callable[[pathlib.Path], Iterator[Any]], has: Callable[[Any], Any]
) -> Callable[[pathlib.Path], bool]:
  """Makes a check whether the first example of a file has its right answer.

  The answers of SuperGLUE's test splits are secret.

  Args:
    reader: reads the file.
    has: returns the right answer of an example, or a false value.
  """

  def test(path: pathlib.Path) -> bool:
    return all(has(one) for one in itertools.islice(reader(path), 1))

  return test


def _field(value: Record, name: str, kind: type, where: str) -> Any:
  field = labelled.first_field(value, (name,), where)
  if not isinstance(field, kind) or isinstance(field, bool):
    raise UsageError(
      f"{where}: field {name}={short(field)}: must be"
      f" {'text' if kind is str else f'of kind {kind.__name__}'}"
    )
  return field


def _objects(value: Record, name: str, where: str) -> list[Record]:
  """Returns a field that is a list of objects; [] if it is missing."""
  objects = value.get(name, [])
  if not isinstance(objects, list) or not all(
    isinstance(x, dict) for x in objects
  ):
    raise UsageError(
      f"{where}: field {name}={short(objects)}: must be a list of objects"
    )
  return objects
