"""Reads questions about passages: SQuAD's JSON, or JSONL of the same fields."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Iterator
from typing import Any

from absl import logging

from lm_jax.data import lines
from lm_jax.examples import labelled, splits
from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.examples.labelled import DEV, TRAIN, Record
from lm_jax.support.errors import UsageError, short
from lm_jax.support.printable import printable

# Names of the files of both versions.
NAMES = {
  TRAIN: ("train-v1.1", "train-v2.0"),
  DEV: ("dev-v1.1", "dev-v2.0"),
}


def nested(path: pathlib.Path) -> Iterator[Question]:
  """Reads {"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}.

  Raises:
    UsageError: the file is not of this form.
  """
  yield from warn_of_unplaced(_nested(path), str(path))


def _nested(path: pathlib.Path) -> Iterator[Question]:
  value = lines.parsed(lines.content(path), path, whole=True)
  for article, at in _list(value, "data", str(path)):
    for paragraph, inside in _list(article, "paragraphs", at):
      for record, where in _list(paragraph, "qas", inside):
        whole = {**article, **paragraph, **record}
        yield question(whole, str(record.get("id", where)), where)


def jsonl(path: pathlib.Path) -> Iterator[Question]:
  """Reads objects with context, question, answers; perhaps id and title.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  records = splits.records(path)
  yield from warn_of_unplaced(
    (question(r, name, at) for at, name, r in records), str(path)
  )


READERS = {".jsonl": jsonl, ".json": nested}


def question(record: Record, name: str, where: str) -> Question:
  """Makes a question of a record.

  Its answers are a list of {"text", "start" or "answer_start"}, or an object
  of both lists, as in TFDS; [] if the passage has no answer. An empty text is
  no answer, as in SQuAD's script. An answer that is not where the data say (as
  in CMRC 2018) is UNPLACED.

  Raises:
    UsageError: a field is missing or not valid.
  """
  context, asked = (
    _text(record, key, where) for key in ("context", "question")
  )
  title = record.get("title", record.get("domain", ""))
  answers = []
  for text, start in _answers(
    labelled.first_field(record, ("answers",), where), where
  ):
    placed = start >= 0 and context.startswith(text, start)
    if text:
      answers.append(Span(text, start if placed else UNPLACED))
  return Question(name, str(title), context, asked, tuple(answers))


def warn_of_unplaced(
  questions: Iterable[Question], what: str
) -> Iterator[Question]:
  """Passes questions on, and warns of those with an answer out of place.

  Args:
    what: names the file or data set.
  """
  names = []
  for one in questions:
    if any(answer.start == UNPLACED for answer in one.answers):
      names.append(one.id)
    yield one
  if names:
    logging.warning(
      "%s: questions with an answer that does not stand where the file says:"
      " %d; its text counts where answers are measured, and nothing is learnt"
      " of it; the first is %s",
      what,
      len(names),
      printable(names[0]),
    )


def require_answers(questions: list[Question], what: str, other: str) -> None:
  """Raises UsageError where a question has no answer.

  Args:
    questions: all questions.
    what, other: the task, and the task that allows such questions.
  """
  for one in questions:
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
  value = labelled.first_field(record, (name,), where)
  if not isinstance(value, str):
    raise UsageError(f"{where}: field {name}={short(value)}: must be text")
  return value


def _list(value: Any, name: str, where: str) -> Iterator[tuple[Record, str]]:
  """Yields the objects of a list in an object's field, with their places."""
  items = value.get(name) if isinstance(value, dict) else None
  if not isinstance(items, list):
    raise UsageError(f"{where}: has no list {name!r}")
  for number, one in enumerate(items):
    place = f"{where}, {name}[{number}]"
    if not isinstance(one, dict):
      raise UsageError(f"{place}: must be an object, not {short(one)}")
    yield one, place
