"""Queries of `retrieve`: typed, of a file, or of the collection."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.data import lines
from lm_jax.examples import collection as collection_lib
from lm_jax.examples.collection import Collection
from lm_jax.support.errors import UsageError

_TEXT, _ID = ("text", "query", "question"), ("id", "_id")


@dataclasses.dataclass(frozen=True)
class Queries:
  """What is searched for.

  texts: by id, numbers from 1 where there are no others.
  of_collection: are they the collection's judged ones?
  """

  texts: Mapping[str, str]
  of_collection: bool = False


def read(
  typed: Sequence[str], file: str, found: Collection, where: str
) -> Queries:
  """The queries that flags name.

  Args:
    typed: texts.
    file: of lines, or of JSONL; "" for none.
    found: whose judged queries they are where there are no others.
    where: names the collection in messages.

  Raises:
    UsageError: an empty query, what is wrong with a line, or the collection
      has no judged ones.
  """
  if not typed and not file:
    if not found.judged:
      raise UsageError(
        f"{where}: has no judged queries; give --query or --queries=FILE"
      )
    return Queries({name: found.queries[name] for name in found.judged}, True)
  texts: dict[str, str] = {}
  for text in typed:
    _add(texts, str(len(texts) + 1), text, "--query")
  if file:
    _of_file(pathlib.Path(file), texts)
  return Queries(texts)


def _add(texts: dict[str, str], name: str, text: str, where: str) -> None:
  if not text.strip():
    raise UsageError(f"{where}: is empty")
  if name in texts:
    raise UsageError(f"{where}: the id {name} is there twice")
  if not lines.is_word(name):
    raise UsageError(f"{where}: the id {name!r:.80} must be one word")
  texts[name] = text.strip()


def _of_file(path: pathlib.Path, texts: dict[str, str]) -> None:
  before = len(texts)
  if ".jsonl" in path.suffixes:
    for where, record in collection_lib.records(path):
      field = next((x for x in _TEXT if x in record), _TEXT[0])
      text = collection_lib.text_of(record, field, where)
      key = next((x for x in _ID if x in record), "")
      name = str(len(texts) + 1)
      if key:
        name = collection_lib.text_of(record, key, where)
      _add(texts, name, text, where)
  else:
    # An empty line is no query, yet counts: ids are those of the lines.
    for number, (where, line) in enumerate(lines.texts(path), before + 1):
      if line.strip():
        _add(texts, str(number), line, where)
  if len(texts) == before:
    raise UsageError(f"--queries={path}: holds no query")
