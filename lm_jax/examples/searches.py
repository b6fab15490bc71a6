"""Makes searches for training and testing: queries and their answers."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable, Sequence

from lm_jax.examples import collection as collection_lib
from lm_jax.examples import files
from lm_jax.examples.collection import Collection
from lm_jax.examples.files import DEV, TEST, TRAIN, Record
from lm_jax.support.errors import UsageError, short

# Of each six queries of a collection without splits, three are for training
# and one is for choosing between checkpoints.
_SHARES = {TRAIN: (0, 3), DEV: (3, 4), TEST: (4, 6)}
_WHOLE = 6
# If only a split for choosing checkpoints is missing, one in _HELD_OUT training
# queries is held out for it, _MOST at most.
_HELD_OUT, _MOST = 10, 2000


@dataclasses.dataclass(frozen=True)
class Search:
  """A query, passages that answer it and passages that don't.

  id: of the query, in its collection.
  query: its text.
  positives: relevant passages; training makes a pair of each.
  negatives: passages that look relevant and are not.
  collection: documents to search, with judgements; None if the search is for
    training only.
  """

  id: str
  query: str
  positives: tuple[str, ...]
  negatives: tuple[str, ...] = ()
  collection: Collection | None = dataclasses.field(
    default=None, repr=False, compare=False
  )


def chosen(ids: Iterable[str], split: str) -> list[str]:
  """Chooses the ids of a split for data without splits; always the same.

  The hash of each id decides; the ids stay in their order.

  >>> [len(chosen(map(str, range(225)), s)) for s in ("train", "dev", "test")]
  [112, 38, 75]
  """
  ids = list(ids)
  low, high = (len(ids) * share // _WHOLE for share in _SHARES[split])
  members = set(_drawn(ids)[low:high])
  return [name for name in ids if name in members]


def held_out(ids: Iterable[str]) -> set[str]:
  """Chooses training queries for validation, if the data have none for it."""
  ids = list(ids)
  return set(_drawn(ids)[: min(-(-len(ids) // _HELD_OUT), _MOST)])


def _drawn(ids: Iterable[str]) -> list[str]:
  return sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())


def from_collection(
  searched: Collection, queries: Iterable[str]
) -> list[Search]:
  """Makes searches for the relevant documents of queries, given their ids.

  An empty document, as in Cranfield, is judged but not trained on.
  """
  return [
    Search(
      name,
      searched.queries[name],
      tuple(
        x.full_text for x in searched.relevant(name) if x.full_text.strip()
      ),
      collection=searched,
    )
    for name in queries
  ]


def titles(searched: Collection) -> list[Search]:
  """Makes a search of each document: from its title to its text.

  Documents without a title or without more text are left out.
  """
  return [
    Search(document.id, document.title, (document.body,))
    for document in searched.documents.values()
    if document.title.strip() and document.body
  ]


def pairs(searches: Iterable[Search]) -> list[Search]:
  """Splits searches into one per relevant passage, for training."""
  return [
    dataclasses.replace(search, positives=(positive,))
    for search in searches
    for positive in search.positives
  ]


def read_pairs(path: pathlib.Path) -> list[Search]:
  """Reads JSONL of {"query", "positive", "negatives"}, the last optional.

  "positive" may be a list. The collection is all passages of the file.

  Raises:
    UsageError: a line is not valid (with its number), or the file is empty.
  """
  searches = list(files.made(files.records(path, ids=False), _search))
  if not searches:
    raise UsageError(f"{path}: is empty")
  return _searchable(path.name, searches)


def _search(record: Record, name: str) -> Search:
  query = collection_lib.text_of(record, "query")
  positives = _texts(record, "positive")
  if not positives:
    raise UsageError("field positive=[]: must hold a text")
  negatives = _texts({"negatives": []} | record, "negatives")
  return Search(name, query, positives, negatives)


def _texts(record: Record, field: str) -> tuple[str, ...]:
  value = record.get(field)
  if not isinstance(value, list):
    return (collection_lib.text_of(record, field),)
  if not all(isinstance(x, str) for x in value):
    raise UsageError(f"field {field}={short(value)}: must be texts")
  return tuple(value)


def _searchable(name: str, searches: Sequence[Search]) -> list[Search]:
  """Adds to the searches a collection of all their passages."""
  ids: dict[str, str] = {}
  for search in searches:
    for text in (*search.positives, *search.negatives):
      ids.setdefault(text, str(len(ids) + 1))
  passages = collection_lib.from_texts(
    name, {i: text for text, i in ids.items()}
  )
  passages = dataclasses.replace(
    passages,
    queries={search.id: search.query for search in searches},
    relevance={
      search.id: {ids[text]: 1 for text in search.positives}
      for search in searches
    },
  )
  return [
    dataclasses.replace(search, collection=passages) for search in searches
  ]
