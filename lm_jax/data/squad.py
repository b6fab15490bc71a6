"""Questions about passages: SQuAD's JSON, and flat JSONL of the same fields."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

from lm_jax.data import labelled, splits
from lm_jax.data.examples import Question, Span
from lm_jax.data.labelled import DEV, TRAIN, Record
from lm_jax.errors import UsageError, short

# As the files of both versions are called.
NAMES = {
  TRAIN: ("train-v1.1", "train-v2.0"),
  DEV: ("dev-v1.1", "dev-v2.0"),
}


def nested(path: pathlib.Path) -> Iterator[Question]:
  """A file {"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}.

  Raises:
    UsageError: not that, or a span that is not in its passage.
  """
  try:
    value = json.loads(splits.content(path).decode("utf-8-sig"))
  except (ValueError, RecursionError) as error:
    raise UsageError(f"{path}: not JSON: {error}") from None
  for article, at in _list(value, "data", str(path)):
    for paragraph, inside in _list(article, "paragraphs", at):
      for record, where in _list(paragraph, "qas", inside):
        whole = {**article, **paragraph, **record}
        yield question(whole, str(record.get("id", where)), where)


def jsonl(path: pathlib.Path) -> Iterator[Question]:
  """A file of objects with context, question, answers; perhaps id and title.

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  for where, name, record in splits.records(path):
    yield question(record, name, where)


READERS = {".jsonl": jsonl, ".json": nested}


def question(record: Record, name: str, where: str) -> Question:
  """The question that a record holds.

  Its answers are a list of {"text", "start" or "answer_start"}, or an object
  of both lists, as TFDS has them; [] of a passage without an answer.

  Raises:
    UsageError: a field is missing, or an answer is not where it is said to be.
  """
  context, asked = (
    _text(record, key, where) for key in ("context", "question")
  )
  title = record.get("title", record.get("domain", ""))
  answers = []
  for text, start in _answers(
    labelled.found(record, ("answers",), where), where
  ):
    if context[start : start + len(text)] != text or start < 0 or not text:
      there = context[max(start, 0) : max(start, 0) + max(len(text), 1)]
      raise UsageError(
        f"{where}: the answer {short(text)} is not at character {start} of the"
        f" context, where {short(there)} stands"
      )
    answers.append(Span(text, start))
  return Question(name, str(title), context, asked, tuple(answers))


def require_answers(found: list[Question], what: str, other: str) -> None:
  """Raises UsageError where a question has no answer.

  Args:
    found: all questions.
    what, other: the task, and the one that has such questions.
  """
  for one in found:
    if not one.answers:
      raise UsageError(
        f"{what}, example {one.id}: has no answer; --task={other} takes such"
      )


def _answers(value: Any, where: str) -> Iterator[tuple[str, int]]:
  if isinstance(value, dict):
    texts = value.get("text")
    starts = value.get("answer_start", value.get("start"))
    if not isinstance(texts, list) or not isinstance(starts, list):
      raise _bad_answers(value, where)
    if len(texts) != len(starts):
      raise _bad_answers(value, where)
    pairs = list(zip(texts, starts, strict=True))
  elif isinstance(value, list) and all(isinstance(x, dict) for x in value):
    pairs = [
      (x.get("text"), x.get("answer_start", x.get("start"))) for x in value
    ]
  else:
    raise _bad_answers(value, where)
  for text, start in pairs:
    if not isinstance(text, str) or type(start) is not int:
      raise _bad_answers(value, where)
    yield text, start


def _bad_answers(value: Any, where: str) -> UsageError:
  return UsageError(
    f"{where}: field answers={short(value)}: must be a list of objects with"
    " text and start, or an object of two such lists"
  )


def _text(record: Record, name: str, where: str) -> str:
  value = labelled.found(record, (name,), where)
  if not isinstance(value, str):
    raise UsageError(f"{where}: field {name}={short(value)}: must be text")
  return value


def _list(value: Any, name: str, where: str) -> Iterator[tuple[Record, str]]:
  """The objects of a list of an object's, with their places."""
  found = value.get(name) if isinstance(value, dict) else None
  if not isinstance(found, list):
    raise UsageError(f"{where}: has no list {name!r}")
  for number, one in enumerate(found):
    place = f"{where}, {name}[{number}]"
    if not isinstance(one, dict):
      raise UsageError(f"{place}: must be an object, not {short(one)}")
    yield one, place
