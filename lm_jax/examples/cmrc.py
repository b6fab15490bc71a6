"""Reads CMRC 2018 in its own form, whose answers are texts without places."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from lm_jax.data import lines
from lm_jax.examples import files, squad
from lm_jax.examples.files import Record
from lm_jax.examples.forms import Question
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short


def nested(path: pathlib.Path) -> Iterator[Question]:
  """Reads CMRC's own JSON, or the same data in SQuAD's form.

  Its own is a list of {"context_id", "context_text", "title", "qas":
  [{"query_id", "query_text", "answers": [text, ...]}]}; CLUE has the list as
  "data" of an object. An answer stands where the passage has it first.

  Raises:
    UsageError: the file is of neither form.
  """
  value = lines.parsed(lines.content(path), path, whole=True)
  passages = value.get("data") if isinstance(value, dict) else value
  if not isinstance(passages, list) or not any(map(_is_own, passages)):
    return squad.nested(path)
  return squad.questions(_records(passages, str(path)), str(path))


def _is_own(passage: Any) -> bool:
  return isinstance(passage, dict) and "context_text" in passage


def _records(passages: list[Any], path: str) -> files.Source:
  for number, passage in enumerate(passages):
    where = f"{path}, [{number}]"
    record = files.as_record(passage, where)
    with errors.about(where):
      context = files.field(record, "context_text")
      asked = files.field(record, "qas", kind=list)
    for i, one in enumerate(asked):
      place = f"{where}, qas[{i}]"
      with errors.about(place):
        flat = _flat(files.as_record(one, "it"), context)
      yield (
        place,
        str(one.get("query_id", place)),
        {"title": "", **record, **flat},
      )


def _flat(record: Record, context: str) -> Record:
  answers = files.field(record, "answers", kind=list)
  # Its development file has a few numbers, which its script takes for texts.
  if not all(type(x) in (str, int, float) for x in answers):
    raise UsageError(f"field answers={short(answers)}: must be a list of texts")
  texts = list(map(str, answers))
  return {
    "context": context,
    "question": files.field(record, "query_text"),
    "answers": [{"text": x, "start": context.find(x)} for x in texts],
  }


READERS = {".jsonl": squad.jsonl, ".json": nested}
