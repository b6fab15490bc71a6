"""SuperGLUE's two tasks of passages with several questions, flattened."""

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

  entities: what may be in its place, in the order of the passage.
  answers: those that are right, each with its first character's place.
  """

  id: str
  passage: str
  query: str
  entities: tuple[str, ...]
  answers: tuple[tuple[str, int], ...]


def multirc(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Where each answer to a question is, its id, and its record.

  The id is "PASSAGE-QUESTION-ANSWER", by their numbers.

  Args:
    path: JSONL as published, {"passage": {"text", "questions": [{"question",
      "answers": [{"text", "label"}]}]}}, or of flat records (`multirc_flat`).

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  for where, name, record in splits.records(path):
    passage = record.get("passage")
    if not isinstance(passage, dict):
      yield where, *multirc_flat(record, name)
      continue
    idx = record.get("idx", name)
    text = _found(passage, "text", str, where)
    for i, question in enumerate(_objects(passage, "questions", where)):
      asked = _found(question, "question", str, where)
      for j, answer in enumerate(_objects(question, "answers", where)):
        numbers = idx, question.get("idx", i), answer.get("idx", j)
        flat = {"paragraph": text, "question": asked, **answer}
        flat["answer"] = flat.pop("text", None)
        yield where, "-".join(map(str, numbers)), _bare(flat)


def multirc_flat(record: Record, name: str) -> tuple[str, Record]:
  """The id and the record of an answer, as TFDS has it."""
  idx = record.get("idx")
  if isinstance(idx, dict):
    name = "-".join(
      str(idx.get(x)) for x in ("paragraph", "question", "answer")
    )
  return name, _bare(record)


def _bare(record: Record) -> Record:
  """Without the marks of HTML that some passages have."""
  text = str(record.get("paragraph", ""))
  return record | {"paragraph": re.sub("</?b>", "", text.replace("<br>", " "))}


def record(path: pathlib.Path) -> Iterator[Cloze]:
  """The queries of ReCoRD.

  Args:
    path: JSONL as published, {"passage": {"text", "entities": [{"start",
      "end"}]}, "qas": [{"query", "answers": [{"text"}]}]}, or of flat records
      (`record_flat`).

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  for where, name, value in splits.records(path):
    passage = value.get("passage")
    if not isinstance(passage, dict):
      yield record_flat(value, name, where)
      continue
    text = _found(passage, "text", str, where)
    entities = []
    for span in _objects(passage, "entities", where):
      first = _found(span, "start", int, where)
      last = _found(span, "end", int, where)  # its last character
      entities.append((first, text[first : last + 1]))
    listed = [entity for _, entity in sorted(entities)]
    for i, question in enumerate(_objects(value, "qas", where)):
      right = [
        _found(answer, "text", str, where)
        for answer in _objects(question, "answers", where)
      ]
      query = _found(question, "query", str, where)
      number = str(question.get("idx", f"{name}-{i}"))
      yield _cloze(number, text, query, listed, right, where)


def record_flat(value: Record, name: str, where: str) -> Cloze:
  """The query of a flat record: passage, query, entities, answers."""
  idx = value.get("idx")
  if isinstance(idx, dict):
    name = str(idx.get("query", name))
  text = _found(value, "passage", str, where)
  entities, right = (
    list(map(str, _found(value, key, list, where)))
    for key in ("entities", "answers")
  )
  query = _found(value, "query", str, where)
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
  told = tuple((answer, at) for answer, at in places if at >= 0)
  if right and not told:
    raise UsageError(
      f"{where}: answer {short(right[0])}: does not stand in the passage"
    )
  return Cloze(name, text, query, tuple(dict.fromkeys(entities)), told)


def told(
  reader: Callable[[pathlib.Path], Iterator[Any]], has: Callable[[Any], Any]
) -> Callable[[pathlib.Path], bool]:
  """Does the first example of a file have its right answer?

  SuperGLUE keeps those of its test splits secret.

  Args:
    reader: of the file.
    has: the right answer of an example, or nothing.
  """

  def test(path: pathlib.Path) -> bool:
    return all(has(one) for one in itertools.islice(reader(path), 1))

  return test


def _found(value: Record, name: str, kind: type, where: str) -> Any:
  found = labelled.found(value, (name,), where)
  if not isinstance(found, kind) or isinstance(found, bool):
    raise UsageError(
      f"{where}: field {name}={short(found)}: must be"
      f" {'text' if kind is str else f'of kind {kind.__name__}'}"
    )
  return found


def _objects(value: Record, name: str, where: str) -> list[Record]:
  """A list of objects; [] where there is none."""
  found = value.get(name, [])
  if not isinstance(found, list) or not all(isinstance(x, dict) for x in found):
    raise UsageError(
      f"{where}: field {name}={short(found)}: must be a list of objects"
    )
  return found
