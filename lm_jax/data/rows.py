"""Tokenized rows in the cache, and batches of them by step."""

from __future__ import annotations

import functools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from lm_jax.data import cache, pack
from lm_jax.data import facts as facts_lib
from lm_jax.data.corpus import SPLITS, Corpus, Document, open_corpus
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.data.text import pieces
from lm_jax.data.tokenizer import Encoded, Tokenizer
from lm_jax.types import ABSENT, ANSWER, PADDING, Rows, UsageError

SHORTEST_ROW = 16
# Text is tokenized by the group, and long documents in pieces of this size.
GROUP_CHARACTERS, PIECE_CHARACTERS = 2**22, 2**18


@functools.lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> np.ndarray:
  """A permutation of range(count), the same for every version of NumPy.

  Only bit generators have that guarantee, `Generator.permutation` has not.
  """
  bits = np.random.PCG64(np.random.SeedSequence([seed, epoch]))
  return np.argsort(bits.random_raw(count), kind="stable")


def _to_rows(block_BxFxL: np.ndarray) -> Rows:
  fields = np.ascontiguousarray(block_BxFxL.swapaxes(0, 1), np.int32)
  segment_BxL = fields[pack.SEGMENT]
  part_BxL = np.where(segment_BxL > 0, ANSWER, PADDING).astype(np.int32)
  return Rows(
    tokens_BxL=fields[pack.TOKENS],
    segment_BxL=segment_BxL,
    word_BxL=fields[pack.WORD],
    sentence_BxL=fields[pack.SENTENCE],
    part_BxL=part_BxL,
  )


class _Steps:
  """The batches of a run as a random-access source, for grain."""

  def __init__(self, dataset: Dataset, seed: int, batch_size: int):
    self._batch = functools.partial(dataset.batch, seed, batch_size=batch_size)

  def __len__(self) -> int:
    return 2**62  # Training goes on for as long as its budget does.

  def __getitem__(self, step: int) -> Rows:
    return self._batch(step=int(step))


class Dataset:
  """Rows of one length in three splits; made by `load`."""

  def __init__(
    self, folder: pathlib.Path, tokenizer: Tokenizer, corpus: Corpus
  ):
    facts = facts_lib.read(folder, pack.FIELDS)
    self.tokenizer = tokenizer
    self.corpus = corpus
    self.specials = tokenizer.specials
    self.vocabulary_size = tokenizer.vocabulary_size
    self.length: int = facts["length"]
    self.fingerprint: str = facts["fingerprint"]
    self._count: dict[str, int] = facts["rows"]
    self._rows = {
      split: _memory_map(
        folder / f"{split}.rows",
        (count, pack.FIELDS, self.length),
        np.dtype(facts["dtype"]),
      )
      for split, count in self._count.items()
    }
    self._bytes = {
      split: _memory_map(folder / f"{split}.bytes", (count,), np.int32)
      for split, count in self._count.items()
    }

  def rows(self, split: str) -> int:
    """The number of rows of a split."""
    return self._count[split]

  def bytes(self, split: str) -> np.ndarray:
    """UTF-8 bytes of text behind each row of a split: int32 [rows]."""
    return self._bytes[split]

  def batch(self, seed: int, step: int, batch_size: int) -> Rows:
    """The training batch of a step: a pure function of its arguments.

    An epoch reads every row once, in an order of its own; a batch may hold the
    end of one epoch and the start of the next.

    Returns:
      Rows of numpy int32 [batch_size, length].

    Raises:
      UsageError: there are fewer rows than `batch_size`.
    """
    count = self._count["train"]
    if batch_size > count:
      raise UsageError(
        f"--batch_size={batch_size}: the training split of "
        f"{self.corpus.name} has only {count} rows of {self.length} tokens"
      )
    first = step * batch_size
    parts = []
    for epoch in range(first // count, (first + batch_size - 1) // count + 1):
      start = max(0, first - epoch * count)
      stop = min(count, first + batch_size - epoch * count)
      parts.append(_order(seed, epoch, count)[start:stop])
    return _to_rows(self._rows["train"][np.concatenate(parts)])

  def batches(
    self,
    seed: int,
    batch_size: int,
    start: int = 0,
    process: int = 0,
    processes: int = 1,
    workers: int = 0,
  ) -> Any:
    """The batches from step `start` on, without end, read ahead by threads.

    Of several processes each gets its block of the rows of every batch, of
    batch_size / processes.

    Returns:
      an iterator of what `batch` gives; close it by its `close()`.
    """
    import grain

    self.batch(seed, start, batch_size)  # Raises here and not in a thread.
    size = batch_size // processes
    mine = slice(process * size, (process + 1) * size)
    steps = grain.MapDataset.source(_Steps(self, seed, batch_size))[start:]
    steps = steps.map(lambda rows: jax.tree.map(lambda leaf: leaf[mine], rows))
    options = grain.ReadOptions(num_threads=2, prefetch_buffer_size=4)
    return iter(steps.to_iter_dataset(options))

  def fixed(
    self, split: str, batch_size: int, limit_rows: int | None = None
  ) -> list[Rows]:
    """The rows of a split in their order, the last batch filled with padding.

    Raises:
      UsageError: the split has no rows.
    """
    count = min(self._count[split], limit_rows or self._count[split])
    if not count:
      raise UsageError(
        f"--data.corpus={self.corpus.name}: its {split} split has no rows"
      )
    empty = np.zeros((batch_size, pack.FIELDS, self.length), np.int32)
    empty[:, pack.TOKENS] = self.specials.pad
    batches = []
    for first in range(0, count, batch_size):
      block = self._rows[split][first : min(count, first + batch_size)]
      padding = empty[: batch_size - len(block)]
      batches.append(_to_rows(np.concatenate([block, padding])))
    return batches


def _memory_map(
  path: pathlib.Path, shape: tuple[int, ...], dtype: Any
) -> np.ndarray:
  if not shape[0]:
    return np.zeros(shape, dtype)  # An empty file cannot be mapped.
  return np.memmap(path, dtype, mode="r", shape=shape)


def _encoded(
  documents: Iterable[Document], tokenizer: Tokenizer
) -> Iterator[tuple[Encoded, bool]]:
  """Tokenizes documents, several at once; long ones come in pieces."""
  group: list[str] = []
  ends: list[bool] = []
  for document in documents:
    found = list(pieces(document.text, PIECE_CHARACTERS))
    group += found
    ends += [False] * (len(found) - 1) + [document.ends]
    if sum(map(len, group)) >= GROUP_CHARACTERS:
      yield from zip(tokenizer.encode_batch(group), ends, strict=True)
      group, ends = [], []
  yield from zip(tokenizer.encode_batch(group), ends, strict=True)


def _check(options: DataOptions, length: int) -> None:
  if length < SHORTEST_ROW:
    raise UsageError(f"--length={length}: must be {SHORTEST_ROW} or more")
  for name, valid in (
    ("packing", ("packed", "document")),
    ("errors", ("strict", "replace")),
  ):
    value = getattr(options, name)
    if value not in valid:
      raise UsageError(
        f"--data.{name}={value}: valid are {' and '.join(valid)}"
      )


def load(options: DataOptions, length: int) -> Dataset:
  """Rows of `length` tokens of a corpus, tokenized unless the cache has them.

  Raises:
    UsageError: what is wrong with corpus, tokenizer, length or cache.
  """
  import tqdm

  _check(options, length)
  corpus = open_corpus(options)
  tokenizer = load_tokenizer(options, corpus)
  if tokenizer.specials.boundary == ABSENT:
    raise UsageError(
      f"--data.tokenizer={options.tokenizer}: has no boundary token, which "
      "pieces of text start with"
    )
  fingerprint = cache.key(
    "rows 1", corpus.fingerprint, tokenizer.fingerprint, options.packing, length
  )
  small = max(tokenizer.vocabulary_size, length) <= 2**16
  dtype = np.dtype(np.uint16 if small else np.int32)

  def build(folder: pathlib.Path) -> None:
    counts = dict.fromkeys(SPLITS, 0)
    for split in SPLITS:
      bar = tqdm.tqdm(
        corpus.documents(split),
        f"tokenizing {corpus.name} ({split})",
        unit=" documents",
        leave=False,
        disable=None,  # Silent off a terminal.
      )
      packed = pack.pack(
        _encoded(bar, tokenizer),
        length,
        options.packing,
        tokenizer.specials,
        dtype,
      )
      with (
        (folder / f"{split}.rows").open("wb") as rows_file,
        (folder / f"{split}.bytes").open("wb") as bytes_file,
      ):
        for rows_NxFxL, bytes_N in packed:
          counts[split] += len(rows_NxFxL)
          rows_file.write(rows_NxFxL.tobytes())
          bytes_file.write(bytes_N.tobytes())
    facts = {"length": length, "fingerprint": fingerprint, "rows": counts}
    facts["dtype"] = dtype.name
    (folder / "facts.json").write_text(json.dumps(facts))

  folder = cache.prepared(
    cache.root(options.cache) / "rows" / fingerprint, build
  )
  return Dataset(folder, tokenizer, corpus)


def bucket(lengths: Iterable[int]) -> int:
  """The multiple of 8 that the longest of some lengths fits in."""
  return max(8, -(-max(lengths, default=0) // 8) * 8)


def pad_texts(
  tokenizer: Tokenizer, texts: Sequence[str], length: int
) -> tuple[Rows, int]:
  """A text per row: its tokens, and around them what a model reads there.

  That is `Specials.before` and `Specials.after`, which stay where a text is
  cut; then comes padding.

  Returns:
    Rows of numpy int32 [len(texts), length], and how many texts were cut
    because they did not fit.

  Raises:
    UsageError: `length` has no room for what stands around a text.
  """
  specials = tokenizer.specials
  block = pack.Block(
    len(texts), length, specials.pad, specials.before, specials.after
  )
  room = length - len(specials.before) - len(specials.after)
  if room < 0:
    raise UsageError(
      f"--length={length}: {length - room} special tokens stand around a text"
    )
  cut = 0
  for encoded in tokenizer.encode_batch(texts):
    count = min(encoded.ids.size, room)
    cut += count < encoded.ids.size
    block.next_row()
    block.add(encoded, 0, count)
  return _to_rows(block.filled()[0]), cut
