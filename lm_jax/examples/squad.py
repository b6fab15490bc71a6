"""Reads questions about passages: SQuAD's JSON, or JSONL of the same fields."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from absl import logging

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.files import Record
from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.support.errors import UsageError, short
from lm_jax.support.printable import printable


def nested(path: pathlib.Path) -> Iterator[Question]:
  """Reads {"data": [{"title", "paragraphs": [{"context", "qas": [...]}]}]}.

  Raises:
    UsageError: the file is not of this form.
  """
  value = lines.parsed(lines.content(path), path, whole=True)
  yield from questions(_nested(value, str(path)), str(path))


def _nested(value: Any, where: str) -> files.Source:
  for at, article in _list(value, "data", where):
    for inside, paragraph in _list(article, "paragraphs", at):
      for place, record in _list(paragraph, "qas", inside):
        whole = {**article, **paragraph, **record}
        yield place, str(record.get("id", place)), whole


def jsonl(path: pathlib.Path) -> Iterator[Question]:
  """Reads objects with context, question, answers; perhaps id and title.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  return questions(files.records(path), str(path))


READERS = {".jsonl": jsonl, ".json": nested}


def question(record: Record, name: str) -> Question:
  """Makes a question of a record.

  Its answers are a list of {"text", "start" or "answer_start"}, or an object
  of both lists, as in TFDS; [] if the passage has no answer. An empty text is
  no answer, as in SQuAD's script. An answer that is not where the data say (as
  in CMRC 2018) is UNPLACED.

  Raises:
    UsageError: a field is missing or not valid.
  """
  context, asked = (files.field(record, x) for x in ("context", "question"))
  title = record.get("title", record.get("domain", ""))
  answers = []
  for text, start in _answers(files.first_field(record, ("answers",))):
    placed = start >= 0 and context.startswith(text, start)
    if text:
      answers.append(Span(text, start if placed else UNPLACED))
  return Question(name, str(title), context, asked, tuple(answers))


def questions(source: files.Source, what: str) -> Iterator[Question]:
  """Makes questions, and warns of those with an answer out of place.

  what: names the file or data set.
  """
  names = []
  for one in files.made(source, question):
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


def _answers(value: Any) -> list[tuple[str, int]]:
  wrong = UsageError(
    f"field answers={short(value)}: must be a list of objects with text and"
    " start, or an object of two such lists"
  )
  if isinstance(value, dict):
    lists = _text_and_start(value)
    if not all(isinstance(x, list) for x in lists):
      raise wrong
    if len({len(x) for x in lists}) > 1:
      raise wrong
    pairs = list(zip(*lists, strict=True))
  elif isinstance(value, list) and all(isinstance(x, dict) for x in value):
    pairs = [_text_and_start(x) for x in value]
  else:
    raise wrong
  if any(type(x) is not str or type(at) is not int for x, at in pairs):
    raise wrong
  return pairs


def _text_and_start(value: Record) -> tuple[Any, Any]:
  return value.get("text"), value.get("answer_start", value.get("start"))


def _list(value: Any, name: str, where: str) -> Iterator[tuple[str, Record]]:
  """Yields the objects of a list in an object's field, with their places."""
  items = value.get(name) if isinstance(value, dict) else None
  if not isinstance(items, list):
    raise UsageError(f"{where}: has no list {name!r}")
  for number, one in enumerate(items):
    place = f"{where}, {name}[{number}]"
    yield place, files.as_record(one, place)
