"""Searches to learn from and to be judged by: a query and what answers it."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterable, Sequence

from lm_jax.examples import collection as collection_lib
from lm_jax.examples import labelled
from lm_jax.examples.collection import Collection
from lm_jax.support.errors import UsageError, short

# Of each six queries of a collection without splits, three are for training
# and one is for choosing between checkpoints.
_SHARES = {labelled.TRAIN: (0, 3), labelled.DEV: (3, 4), labelled.TEST: (4, 6)}
_WHOLE = 6
# Where only a split to choose by is missing, one of so many training queries
# is kept from training for that.
_HELD_OUT, _MOST = 10, 2000


@dataclasses.dataclass(frozen=True)
class Search:
  """A query, and passages that do and don't answer it.

  id: of the query, in its collection.
  query: its text.
  positives: relevant passages; training makes a pair of each.
  negatives: passages that look relevant and are not.
  collection: what is searched, and by which relevance is judged; None where it
    is for training only.
  """

  id: str
  query: str
  positives: tuple[str, ...]
  negatives: tuple[str, ...] = ()
  collection: Collection | None = dataclasses.field(
    default=None, repr=False, compare=False
  )


def chosen(ids: Iterable[str], split: str) -> list[str]:
  """Those of a split, where the data has none: the same for ever.

  They are drawn by the hash of each id, and stay in their order.

  >>> [len(chosen(map(str, range(225)), s)) for s in ("train", "dev", "test")]
  [112, 38, 75]
  """
  ids = list(ids)
  low, high = (len(ids) * share // _WHOLE for share in _SHARES[split])
  members = set(_drawn(ids)[low:high])
  return [name for name in ids if name in members]


def held_out(ids: Iterable[str]) -> set[str]:
  """Training queries to choose checkpoints by, where data have none for it."""
  ids = list(ids)
  return set(_drawn(ids)[: min(-(-len(ids) // _HELD_OUT), _MOST)])


def _drawn(ids: Iterable[str]) -> list[str]:
  return sorted(ids, key=lambda name: hashlib.sha256(name.encode()).digest())


def of_collection(found: Collection, queries: Iterable[str]) -> list[Search]:
  """Searches for the relevant documents of queries, named by their ids.

  An empty document, as Cranfield has them, is judged but not trained on.
  """
  return [
    Search(
      name,
      found.queries[name],
      tuple(x.whole for x in found.relevant(name) if x.whole.strip()),
      collection=found,
    )
    for name in queries
  ]


def titles(found: Collection) -> list[Search]:
  """Each document's title as a query for the text behind it.

  Documents without a title or without more text are left out.
  """
  return [
    Search(document.id, document.title, (document.body,))
    for document in found.documents.values()
    if document.title.strip() and document.body
  ]


def pairs(found: Iterable[Search]) -> list[Search]:
  """A search for each relevant passage, to be trained on."""
  return [
    dataclasses.replace(search, positives=(positive,))
    for search in found
    for positive in search.positives
  ]


def read_pairs(path: pathlib.Path) -> list[Search]:
  """Searches in JSONL: {"query", "positive", "negatives"}, the last optional.

  "positive" may be a list. What is searched is all the file's passages.

  Raises:
    UsageError: what is wrong with a line, by number; the file is empty.
  """
  found = []
  for where, record in collection_lib.records(path):
    query = collection_lib.text_of(record, "query", where)
    positives = _texts(record, "positive", where)
    if not positives:
      raise UsageError(f"{where}: field positive=[]: must hold a text")
    name = where.rpartition(" ")[2]
    negatives = _texts({"negatives": []} | record, "negatives", where)
    found.append(Search(name, query, positives, negatives))
  if not found:
    raise UsageError(f"{path}: is empty")
  return _searchable(path.name, found)


def _texts(record: labelled.Record, field: str, where: str) -> tuple[str, ...]:
  value = record.get(field)
  if field in record and not isinstance(value, list):
    return (collection_lib.text_of(record, field, where),)
  if isinstance(value, list) and all(isinstance(x, str) for x in value):
    return tuple(value)
  if field in record:
    raise UsageError(f"{where}: field {field}={short(value)}: must be texts")
  return (collection_lib.text_of(record, field, where),)  # raises


def _searchable(name: str, found: Sequence[Search]) -> list[Search]:
  """The same searches, of a collection of all their passages."""
  ids: dict[str, str] = {}
  for search in found:
    for text in (*search.positives, *search.negatives):
      ids.setdefault(text, str(len(ids) + 1))
  held = collection_lib.of_texts(name, {i: text for text, i in ids.items()})
  held = dataclasses.replace(
    held,
    queries={search.id: search.query for search in found},
    relevance={
      search.id: {ids[text]: 1 for text in search.positives} for search in found
    },
  )
  return [dataclasses.replace(search, collection=held) for search in found]
