"""Local files as a corpus, through TFDS.

With at least 20 different documents, the twentieth of them with the lowest
hashes is held out for validation and the next twentieth for testing, so that
equal documents stay together. With fewer, the last tenth of each document's
text is held out, the first half of it for validation, in whole paragraphs (in
lines, if it has no blank lines): on tiny Shakespeare that is the usual split.
Where that leaves a split empty, a document of one or two lines (text8) is
parted between words.
With more than four million documents, those are held out whose hash lies in the
lowest twentieths of all that there could be, which is the same but for chance.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
import itertools
import pathlib
import re
from collections.abc import Callable, Iterator

from lm_jax.data import encodings, formats
from lm_jax.data import text as texts
from lm_jax.data.text_builder import Record
from lm_jax.support.errors import UsageError

FEW = 20  # Below this many documents, parts of documents are held out.
# TFDS spills through TensorFlow above 1,000 MiB a split.
SPLIT_BYTES = 256 * 2**20
RECORD_CHARACTERS = 4 * 2**20
MOST_HASHES = 2**22  # are kept in memory, 8 bytes each
LONGEST_WORD = 200  # characters
_LAST_SPACE = re.compile(r"\s(?=\S*$)")


def tails(text: str, by_words: bool = False) -> dict[str, str]:
  """Splits a document's text: its last tenth is held out.

  The tenth is of the characters, and parted from the rest, as its halves are,
  between paragraphs. Of fewer than three nothing is held out, or `by_words`
  the last tenth up to a word's end (to a character, where words are longer
  than LONGEST_WORD or not parted at all).
  """
  parts = texts.paragraphs(text)
  if by_words and len(parts) < 3:
    edges = [_edge(text, 0.9), _edge(text, 0.95)]
    train, validation, test = (
      text[a:b] for a, b in itertools.pairwise([0, *edges, len(text)])
    )
    return {"train": train, "validation": validation, "test": test}
  count = len(parts)
  first = second = count
  if count > 2:
    starts = list(itertools.accumulate(map(len, parts), initial=0))[:count]
    first = bisect.bisect_left(starts, 0.9 * len(text), 1, count - 2)
    second = bisect.bisect_left(starts, 0.95 * len(text), first + 1, count - 1)
  return {
    "train": "".join(parts[:first]),
    "validation": "".join(parts[first:second]),
    "test": "".join(parts[second:]),
  }


def _edge(text: str, share: float) -> int:
  """Finds the end of a share of a text, moved back to nearby white space."""
  end = int(share * len(text))
  near = text[max(0, end - LONGEST_WORD) : end]
  space = _LAST_SPACE.search(near)
  return end - len(near) + space.start() if space else end


@dataclasses.dataclass(frozen=True)
class Plan:
  """Assignment of documents, or parts of documents, to splits.

  thresholds: the hashes below which a document is held out for validation
    and for testing; None where each document's tail is held out.
  by_words: see `tails`.
  """

  paths: list[pathlib.Path]
  text_key: str
  errors: str
  thresholds: tuple[int, int] | None
  by_words: bool = False
  encoding: str = encodings.UTF8

  def records(self, split: str) -> Iterator[Record]:
    """Yields the records of a split: text, name, and if the document ends."""
    for name, text in formats.read(
      self.paths, self.text_key, self.errors, self.encoding
    ):
      if self.thresholds is None:
        part = tails(text, self.by_words)
        # Whichever split holds the document's last words holds its end.
        last = "test" if part["test"] else "train"
        wanted, ends = part[split], split == last
      else:
        wanted, ends = (text if self.split_of(text) == split else ""), True
      if not wanted.strip():
        continue
      *firsts, final = texts.pieces(wanted, RECORD_CHARACTERS)
      for piece in firsts:
        yield {"text": piece, "name": name, "ends": False}
      yield {"text": final, "name": name, "ends": ends}

  def split_of(self, text: str) -> str:
    """Returns the split of a document; "" where its tail is held out."""
    if self.thresholds is None:
      return ""
    return texts.held_out(texts.text_hash(text), *self.thresholds)

  def splits(self) -> dict[str, Iterator[Record]]:
    """Returns the records by split, of which the training text has several.

    They are to be read in this order: one reading of the files feeds all the
    splits of the training text.
    """
    count = sum(map(any, shards(self.records("train"))))
    stream = shards(self.records("train"))
    named = {f"train_{number:02d}": _next(stream) for number in range(count)}
    held_out = {split: self.records(split) for split in ("validation", "test")}
    return named | held_out


def plan(
  paths: list[pathlib.Path],
  text_key: str,
  errors: str,
  encoding: str = encodings.UTF8,
) -> Plan:
  """Reads all files once, so that bad input is reported before writing.

  Raises:
    UsageError: the corpus is empty; and whatever `formats.read` raises.
  """
  import numpy as np

  hashed = (
    texts.text_hash(text)
    for _, text in formats.read(paths, text_key, errors, encoding)
  )
  make = functools.partial(Plan, paths, text_key, errors, encoding=encoding)
  kept = itertools.islice(hashed, MOST_HASHES)
  hashes = np.unique(np.fromiter(kept, np.uint64))
  if not hashes.size:
    raise UsageError(
      f"--data.corpus: empty: there is no text in {paths[0]}"
      + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
    )
  if hashes.size < FEW:
    return _small(make)
  if sum(1 for _ in hashed):  # There are more, and they are read as well.
    shares = texts.VALIDATION_SHARE, texts.TEST_SHARE
    held, tested = itertools.accumulate(int(s * texts.HASHES) for s in shares)
    return make((held, tested))
  held = round(hashes.size * texts.VALIDATION_SHARE)
  tested = held + round(hashes.size * texts.TEST_SHARE)
  thresholds = (int(hashes[held]), int(hashes[tested]))
  return make(thresholds)


def _small(make: Callable[..., Plan]) -> Plan:
  """Plans to hold out tails of documents, in paragraphs or else in words."""
  for by_words in (False, True):
    tail_plan = make(None, by_words=by_words)
    empty = [s for s in texts.SPLITS if not any(tail_plan.records(s))]
    if not empty:
      return tail_plan
  raise UsageError(
    f"--data.corpus: too small: no text is left for {empty[0]}; it takes {FEW} "
    "different documents, a document of 3 paragraphs or lines, or a longer one"
  )


def _next(groups: Iterator[Iterator[Record]]) -> Iterator[Record]:
  yield from next(groups)


def shards(records: Iterator[Record]) -> Iterator[Iterator[Record]]:
  """Groups records by the shard of SPLIT_BYTES that they begin in.

  Read a group to its end before asking for the next one.
  """

  def numbered() -> Iterator[tuple[int, Record]]:
    start = 0
    for record in records:
      yield start // SPLIT_BYTES, record
      start += len(record["text"].encode())

  for _, group in itertools.groupby(numbered(), key=lambda pair: pair[0]):
    yield (record for _, record in group)
