"""Loads tokenized rows from the cache; gives batches of them by step."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lm_jax.data import (
  chunks,
  order,
  pack,
  prepare,
  readers,
  segmenters,
  unique,
  writings,
)
from lm_jax.data.mixture import Mixture, open_mixture
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.data.source import Source
from lm_jax.data.table import Table
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.support import cache
from lm_jax.support.errors import UsageError
from lm_jax.support.options import check_ranges
from lm_jax.types import ABSENT, ANSWER, PADDING, Rows

SHORTEST_ROW = 16
# The number goes up when other rows are made of the same documents.
FORMAT = "rows 2"
_SAMPLE = 1024  # rows that are looked at together


def _to_rows(fields_FxBxL: np.ndarray) -> Rows:
  fields = np.ascontiguousarray(fields_FxBxL, np.int32)
  segment_BxL = fields[pack.SEGMENT]
  part_BxL = np.where(segment_BxL > 0, ANSWER, PADDING).astype(np.int32)
  return Rows(
    tokens_BxL=fields[pack.TOKENS],
    segment_BxL=segment_BxL,
    word_BxL=fields[pack.WORD],
    sentence_BxL=fields[pack.SENTENCE],
    part_BxL=part_BxL,
  )


class Dataset:
  """A RowSource of a corpus, in three splits; made by `load`.

  Training rows of several corpora are mixed, and each corpus has its own
  epochs; their held-out rows are interleaved in the same proportions.

  corpus: all corpora as one; corpora, tables, weights: one entry per corpus.
  """

  def __init__(
    self,
    mixture: Mixture,
    tables: Sequence[Table],
    weights: Sequence[int],
    fingerprint: str,
    tokenizer: Tokenizer,
    words: str = "",
  ):
    self.corpus = mixture.corpus
    self.corpora = mixture.corpora
    self.tables = tables
    self.weights = weights
    self.tokenizer = tokenizer
    self.specials = tokenizer.specials
    self.vocabulary_size = tokenizer.vocabulary_size
    self.length = tables[0].length
    self.fingerprint = fingerprint
    self.words = words
    self._source = Source(tables, weights)

  def rows(self, split: str) -> int:
    """Returns the number of rows of a split."""
    return sum(table.rows(split) for table in self.tables)

  def paired_share(self) -> float:
    """Returns the share of training rows with two sentences of a document.

    It is measured on a sample of each corpus; 0 only where no row has them.
    """
    counts = np.array([table.rows("train") for table in self.tables])
    shares = [
      _paired(table, range(0, n, -(-n // _SAMPLE)))
      for table, n in zip(self.tables, counts.tolist(), strict=True)
    ]
    if any(shares):
      return float(np.average(shares, weights=counts))
    for table, n in zip(self.tables, counts.tolist(), strict=True):
      for first in range(0, n, _SAMPLE):
        some = _paired(table, range(first, min(n, first + _SAMPLE)))
        if some:
          return some / n
    return 0.0

  def bytes(self, split: str) -> np.ndarray:
    """Returns the UTF-8 bytes of text of each row of a split: int32 [rows].

    Held-out splits are in the order of `fixed`.
    """
    return self._source.held_out_bytes(split)

  def batch(self, seed: int, step: int, batch_size: int) -> Rows:
    """See RowSource.batch."""
    self._check(batch_size, 1)
    return _to_rows(self._source.batch(seed, step, batch_size))

  def batches(
    self,
    seed: int,
    batch_size: int,
    start: int = 0,
    process: int = 0,
    processes: int = 1,
    workers: int = 0,
  ) -> Any:
    """See RowSource.batches."""
    self._check(batch_size, processes)
    arguments = {
      "seed": seed,
      "batch_size": batch_size,
      "process": process,
      "processes": processes,
    }
    if workers:
      shape = (batch_size // processes, self.length)
      return readers.InProcesses(
        self._source, shape, arguments, workers, start, _to_rows
      )

    def read(step: int) -> Rows:
      return _to_rows(self._source.batch(step=step, **arguments))

    return readers.ahead(read, start)

  def _check(self, batch_size: int, processes: int) -> None:
    count = self.rows("train")
    if batch_size > count:
      raise UsageError(
        f"--batch_size={batch_size}: the training split of "
        f"{self.corpus.name} has only {count} rows of {self.length} tokens"
      )
    order.require_blocks(batch_size, processes)

  def fixed(
    self, split: str, batch_size: int, limit_rows: int | None = None
  ) -> list[Rows]:
    """See RowSource.fixed."""
    count = min(self.rows(split), limit_rows or self.rows(split))
    if not count:
      raise UsageError(
        f"--data.corpus={self.corpus.name}: its {split} split has no rows"
      )
    batches = []
    for first in range(0, count, batch_size):
      index_N = np.arange(first, min(count, first + batch_size))
      fields_FxBxL = np.zeros((pack.FIELDS, batch_size, self.length), np.int32)
      fields_FxBxL[pack.TOKENS] = self.specials.pad
      fields_FxBxL[:, : index_N.size] = self._source.held_out(split, index_N)
      batches.append(_to_rows(fields_FxBxL))
    return batches


def _paired(table: Table, rows: range) -> float:
  """Returns the share of training rows that hold two sentences of a segment."""
  fields_FxNxL = table.read_rows("train", np.array(rows)).astype(np.int32)
  segment_NxL = fields_FxNxL[pack.SEGMENT]
  same_NxL = (segment_NxL[:, 1:] > 0) & (np.diff(segment_NxL) == 0)
  new_NxL = np.diff(fields_FxNxL[pack.SENTENCE]) != 0
  return float((same_NxL & new_NxL).any(axis=1).mean())


def load(options: DataOptions, length: int) -> Dataset:
  """Loads rows of `length` tokens; tokenizes a corpus that is not cached.

  Raises:
    UsageError: the corpus, tokenizer, length or cache is not valid.
  """
  if length < SHORTEST_ROW:
    raise UsageError(f"--length={length}: must be {SHORTEST_ROW} or more")
  check_ranges(options, "data.")
  mixture = open_mixture(options)
  tokenizer = load_tokenizer(options, mixture.corpus)
  if tokenizer.specials.boundary == ABSENT:
    raise UsageError(
      f"--data.tokenizer={options.tokenizer}: has no boundary token, which "
      "pieces of text start with"
    )
  packing: str = options.packing or "packed"
  if packing == "document" and options.sentences != "any":
    packing = pack.WHOLE
  rules = tokenizer.encoder.rules
  tables, fingerprints, seen = [], [], set()
  mixture = _limited(mixture, options, tokenizer)
  for part in mixture.corpora:
    facts = [part.fingerprint, tokenizer.fingerprint, packing, length]
    if rules.sentences != "latin":
      facts.append("sentences of every script")
    if rules.by_script:
      own = writings.of_corpus(part, options.cache)
      facts += writings.facts(own, rules)
      seen.update(own)
    fingerprint = cache.key(FORMAT, *facts)
    folder = cache.root(options.cache) / "rows" / fingerprint
    recipe = _recipe(tokenizer, length, packing)
    build = functools.partial(
      prepare.prepare, corpus=part, recipe=recipe, encoder=tokenizer.encoder
    )
    table = Table(cache.prepared(folder, build))
    if not table.rows("train"):
      raise UsageError(
        f"--data.corpus={part.name}: its train split has no rows"
      )
    tables.append(table)
    fingerprints.append(fingerprint)
  weights = mixture.shares([table.rows("train") for table in tables])
  if len(tables) > 1:
    fingerprint = cache.key("mixture 1", fingerprints, weights)
  words = segmenters.used(seen)
  return Dataset(mixture, tables, weights, fingerprint, tokenizer, words)


def _limited(
  mixture: Mixture, options: DataOptions, tokenizer: Tokenizer
) -> Mixture:
  """The mixture with the unique data that it may have; see data/unique.py."""
  if not options.unique:
    return mixture
  amount = unique.Amount.parse(options.unique)
  parts = mixture.corpora
  shares = [1]
  if len(parts) > 1:
    shares = mixture.shares([max(1, part.size()) for part in parts])
  return dataclasses.replace(
    mixture,
    corpora=tuple(
      unique.limit(
        part, amount.part(share / sum(shares)), tokenizer, options.cache
      )
      for part, share in zip(parts, shares, strict=True)
    ),
  )


def _recipe(tokenizer: Tokenizer, length: int, packing: str) -> chunks.Recipe:
  specials = tokenizer.specials
  end = None if specials.end == ABSENT else specials.end
  small = max(tokenizer.vocabulary_size, length) <= 2**16
  return chunks.Recipe(
    content=tokenizer.encoder.content,
    shunned=sorted(tokenizer.encoder.shunned),
    length=length,
    packing=packing,
    marks=pack.Marks(specials.pad, specials.boundary, end),
    dtype="uint16" if small else "int32",
    rules=tokenizer.encoder.rules,
  )


def bucket(lengths: Iterable[int]) -> int:
  """Returns the smallest multiple of 8 that fits all lengths."""
  return max(8, -(-max(lengths, default=0) // 8) * 8)


def pad_texts(
  tokenizer: Tokenizer, texts: Sequence[str], length: int
) -> tuple[Rows, int]:
  """Makes a row per text: its tokens, with the special tokens around them.

  These are `Specials.before` and `Specials.after`; they stay where a text is
  cut. Padding follows.

  Returns:
    Rows of numpy int32 [len(texts), length], and how many texts were cut
    because they did not fit.

  Raises:
    UsageError: `length` has no room for the special tokens around a text.
  """
  specials = tokenizer.specials
  room = length - len(specials.before) - len(specials.after)
  if room < 0:
    raise UsageError(
      f"--length={length}: {length - room} special tokens stand around a text"
    )
  rows_NxFxL = pack.empty(len(texts), length, specials.pad, np.int32)
  if not texts:
    return _to_rows(rows_NxFxL.swapaxes(0, 1)), 0
  flat, counts_N = tokenizer.encoder.encode_flat(texts)
  place_T = np.concatenate([np.arange(count) for count in counts_N])
  kept_N = np.minimum(counts_N, room)
  start_N = np.cumsum(kept_N) - kept_N
  row_N = np.arange(len(texts))
  pack.write_pieces(
    rows_NxFxL,
    flat[place_T < room],
    pack.Pieces(start_N, start_N + kept_N, row_N, np.zeros_like(row_N)),
    specials.before,
    specials.after,
  )
  return _to_rows(rows_NxFxL.swapaxes(0, 1)), int((kept_N < counts_N).sum())
