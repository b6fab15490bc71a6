"""Reads the queries of `retrieve`: typed, from a file, or of the collection."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.data import lines
from lm_jax.examples import collection as collection_lib
from lm_jax.examples import files
from lm_jax.examples.collection import Collection
from lm_jax.support import errors
from lm_jax.support.errors import UsageError

_TEXT, _ID = ("text", "query", "question"), ("id", "_id")


@dataclasses.dataclass(frozen=True)
class Queries:
  """Queries to search with.

  texts: by id; ids are numbers from 1 if there are none.
  from_collection: whether they are the collection's judged queries.
  """

  texts: Mapping[str, str]
  from_collection: bool = False


def read(
  typed: Sequence[str], file: str, collection: Collection, where: str
) -> Queries:
  """Reads the queries that flags name.

  Args:
    file: of lines, or of JSONL; "": none.
    collection: if there are no other queries, its judged ones are used.

  Raises:
    UsageError: a query is empty, a line is not valid, or the collection has no
      judged queries.
  """
  if not typed and not file:
    if not collection.judged:
      raise UsageError(
        f"{where}: has no judged queries; give --query or --queries=FILE"
      )
    return Queries(
      {name: collection.queries[name] for name in collection.judged}, True
    )
  texts: dict[str, str] = {}
  for text in typed:
    _add(texts, str(len(texts) + 1), text, "--query")
  if file:
    _add_file(pathlib.Path(file), texts)
  return Queries(texts)


def _add(texts: dict[str, str], name: str, text: str, where: str) -> None:
  if not text.strip():
    raise UsageError(f"{where}: is empty")
  if name in texts:
    raise UsageError(f"{where}: the id {name} is there twice")
  if not lines.is_word(name):
    raise UsageError(f"{where}: the id {name!r:.80} must be one word")
  texts[name] = text.strip()


def _add_file(path: pathlib.Path, texts: dict[str, str]) -> None:
  before = len(texts)
  if ".jsonl" in path.suffixes:
    for where, _, record in files.records(path):
      with errors.about(where):
        field = next((x for x in _TEXT if x in record), _TEXT[0])
        text = collection_lib.text_of(record, field)
        key = next((x for x in _ID if x in record), "")
        name = str(len(texts) + 1)
        if key:
          name = collection_lib.text_of(record, key)
      _add(texts, name, text, where)
  else:
    # An empty line is no query but counts: ids are line numbers.
    for number, (where, line) in enumerate(lines.texts(path), before + 1):
      if line.strip():
        _add(texts, str(number), line, where)
  if len(texts) == before:
    raise UsageError(f"--queries={path}: holds no query")
