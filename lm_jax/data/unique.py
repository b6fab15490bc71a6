"""Limits the unique data of a run: `--data.unique=tokens:1e6`.

The documents of the training split are shuffled, by a hash of their text, and
a prefix of them is read, again and again; the held-out splits stay whole. The
order has no seed: a smaller amount is part of a larger one, and every arm and
every seed of an experiment reads the same documents.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import logging
import pathlib
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from lm_jax.data.corpus import Corpus, Document
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.support import cache, optional, typed_json
from lm_jax.support.errors import UsageError, about

# Words are parted by white space, as BabyLM counts them; "jieba" are the pieces
# of jieba's cut, punctuation and spaces too, as Chinese BabyLM counts them.
UNITS = ("tokens", "words", "jieba", "documents", "bytes", "share")
FLAG = "--data.unique"
_FILE, _CHOSEN = "unique.json", "documents.npy"
_MOST = Decimal(10) ** 18
# Documents are tokenized until there are enough: first this many bytes a token.
_BYTES = 16


@dataclasses.dataclass(frozen=True)
class Amount:
  """An amount of unique data; of "share" a fraction of the documents.

  unit: one of UNITS.
  """

  unit: str
  count: int | float

  @classmethod
  def parse(cls, text: str) -> Amount:
    """Reads "tokens:1e6", "documents:100", "bytes:1e6" or "share:0.1".

    Raises:
      UsageError: it is none of them, or no amount.
    """
    unit, _, number = text.partition(":")
    with about(f"{FLAG}={text}"):
      if unit not in UNITS:
        raise UsageError(
          "is UNIT:AMOUNT, as in tokens:1e6; the units are"
          f" {', '.join(UNITS[:-1])} and {UNITS[-1]}"
        )
      try:
        amount = Decimal(number)
      except InvalidOperation:
        amount = Decimal("nan")
      if unit == "share":
        if not (amount.is_finite() and 0 < amount <= 1):
          raise UsageError("a share must be above 0 and at most 1")
        return cls(unit, float(amount))
      whole = amount.is_finite() and amount == amount.to_integral_value()
      if not whole or not 0 < amount <= _MOST:
        raise UsageError(f"{unit} are a whole number above 0, as in {unit}:1e3")
      return cls(unit, int(amount))

  def part(self, share: float) -> Amount:
    """Returns what one of several corpora has of it."""
    if self.unit == "share":
      return self
    return Amount(self.unit, max(1, round(self.count * share)))


@dataclasses.dataclass(frozen=True)
class Sizes:
  """Counts of what was chosen of a corpus, and of all of it."""

  documents: int
  bytes: int
  of_documents: int
  of_bytes: int


def limit(
  corpus: Corpus, amount: Amount, tokenizer: Tokenizer, root: str
) -> Corpus:
  """Returns a corpus whose training split has the first documents only.

  Whole documents are taken while they fit; documents of one text come
  together, and each counts.

  Args:
    corpus: whose documents are read once, or twice to count, the first time.
    amount: at most.
    tokenizer: that counts tokens.
    root: the directory for prepared data, as --data.cache names it.

  Raises:
    UsageError: there is less than that, which names what there is; or the
      first document alone is more.
  """
  facts = [corpus.fingerprint, amount.unit, str(amount.count)]
  if amount.unit == "tokens":
    facts.append(tokenizer.fingerprint)
  elif amount.unit == "jieba":
    facts.append(f"jieba {_jieba().__version__}")
  fingerprint = cache.key("unique 1", *facts)
  folder = cache.root(root) / "unique" / fingerprint

  def build(partial: pathlib.Path) -> None:
    chosen_N, sizes = _choose(corpus, amount, tokenizer)
    np.save(partial / _CHOSEN, chosen_N)
    (partial / _FILE).write_text(json.dumps(dataclasses.asdict(sizes)), "utf-8")
    cache.seal(partial)

  @functools.cache
  def prepared() -> tuple[np.ndarray, Sizes]:
    cache.prepared(folder, build)
    cache.require_whole(folder, [_FILE, _CHOSEN])
    sizes = typed_json.read_as(folder / _FILE, Sizes)
    return np.load(folder / _CHOSEN, allow_pickle=False), sizes

  def read(split: str) -> Iterator[Document]:
    documents = corpus.documents(split)
    if split != "train":
      return documents
    chosen = set(prepared()[0].tolist())
    return (
      document for number, document in _numbered(documents) if number in chosen
    )

  prepared()  # Raises.
  return Corpus(
    corpus.name,
    fingerprint,
    read,
    size=lambda: prepared()[1].bytes,
    labelled=corpus.labelled,
    label_key=corpus.label_key,
  )


def _choose(
  corpus: Corpus, amount: Amount, tokenizer: Tokenizer
) -> tuple[np.ndarray, Sizes]:
  """Returns the numbers of the documents that are read, and the sizes."""
  rank_N, bytes_N = _measure(corpus)
  if not len(rank_N):
    raise UsageError(f"--data.corpus={corpus.name}: has no training documents")
  order_N = np.argsort(rank_N, kind="stable")
  flag = f"{FLAG}={amount.unit}:{amount.count}"
  called = "pieces of jieba" if amount.unit == "jieba" else amount.unit
  sizes_N = bytes_N[order_N]
  if amount.unit == "share":
    taken = int(np.ceil(amount.count * len(order_N)))
  else:
    if amount.unit == "documents":
      sizes_N = np.ones_like(sizes_N)
    elif amount.unit != "bytes":
      sizes_N = _counted(
        corpus,
        _counter(amount.unit, tokenizer),
        order_N,
        sizes_N,
        int(amount.count),
      )
    ends_N = np.cumsum(sizes_N)
    if ends_N[-1] < amount.count:
      raise UsageError(
        f"{flag}: --data.corpus={corpus.name} has {ends_N[-1]:,} {called}"
        f" to train on, in {len(order_N):,} documents"
      )
    taken = int(np.searchsorted(ends_N, amount.count, side="right"))
    if not taken:
      raise UsageError(
        f"{flag}: the first document of --data.corpus={corpus.name} alone has"
        f" {sizes_N[0]:,} {called}; documents are taken whole"
      )
  chosen_N = np.sort(order_N[:taken])
  return chosen_N, Sizes(
    documents=taken,
    bytes=int(bytes_N[chosen_N].sum()),
    of_documents=len(order_N),
    of_bytes=int(bytes_N.sum()),
  )


def _numbered(documents: Iterator[Document]) -> Iterator[tuple[int, Document]]:
  """Numbers documents; the parts of a long one share their number."""
  number = -1
  ended, name = True, None
  for document in documents:
    own = document.metadata.get("name")
    number += ended or own != name
    ended, name = document.ends, own
    yield number, document


def _measure(corpus: Corpus) -> tuple[np.ndarray, np.ndarray]:
  """Hashes and counts the documents: uint64 and int64 [documents]."""
  hashes: list[int] = []
  sizes: list[int] = []
  running = hashlib.sha256()
  for number, document in _numbered(corpus.documents("train")):
    data = document.text.encode()
    if number == len(sizes):
      running = hashlib.sha256(b"unique\n")
      sizes.append(0)
      hashes.append(0)
    running.update(data)
    sizes[-1] += len(data)
    hashes[-1] = int.from_bytes(running.digest()[:8], "big")
  return np.array(hashes, np.uint64), np.array(sizes, np.int64)


def _counter(unit: str, tokenizer: Tokenizer) -> Callable[[str], int]:
  """Returns what counts the tokens, words or pieces of a text."""
  if unit == "tokens":
    return lambda text: len(tokenizer.encode(text))
  if unit == "words":
    return lambda text: len(text.split())
  cut = _jieba().cut
  return lambda text: sum(1 for _ in cut(text))


def _jieba() -> Any:
  """Returns jieba itself: rjieba of the extra `languages` cuts numbers apart.

  Raises:
    UsageError: it is not installed.
  """
  library = optional.if_installed("jieba")
  if library is None:
    raise UsageError(
      f"{FLAG}=jieba: counts the pieces of jieba; pip install jieba==0.42.1"
    )
  logging.getLogger("jieba").setLevel(logging.WARNING)  # It tells its loading.
  return library


def _counted(
  corpus: Corpus,
  counter: Callable[[str], int],
  order_N: np.ndarray,
  bytes_N: np.ndarray,
  count: int,
) -> np.ndarray:
  """Counts what the first documents have, until there is `count`: int64 [M].

  counter: of a text.
  order_N, bytes_N: numbers and sizes of all documents, shuffled.
  """
  enough = _BYTES * count
  while True:
    first = int(np.searchsorted(np.cumsum(bytes_N), enough, side="left")) + 1
    place = {int(number): i for i, number in enumerate(order_N[:first])}
    counts_M = np.zeros(len(place), np.int64)
    for number, document in _numbered(corpus.documents("train")):
      if number in place:
        counts_M[place[number]] += counter(document.text)
    if counts_M.sum() > count or len(place) == len(order_N):
      return counts_M
    enough *= 4
