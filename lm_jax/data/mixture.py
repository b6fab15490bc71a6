"""Mixes several corpora: `--data.corpus='books:0.7,news/*.jsonl:0.3'`."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from lm_jax.data import order, paths
from lm_jax.data.corpus import Corpus, Document, open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.support import cache
from lm_jax.support.errors import UsageError, about

_NUMBER = re.compile(r"-?(\d{1,9}(\.\d{0,9})?|\.\d{1,9})")


@dataclasses.dataclass(frozen=True)
class Mixture:
  """Corpora, and how much of each is read.

  weights: of the corpora, as given; None: their sizes decide.
  temperature: a weight w counts as w ** (1 / temperature).
  """

  corpora: tuple[Corpus, ...]
  weights: tuple[Fraction, ...] | None
  temperature: float

  def shares(self, sizes: Sequence[int]) -> list[int]:
    """Integers in the proportion in which corpora of these sizes are read."""
    weights = self.weights or [Fraction(size) for size in sizes]
    if self.temperature != 1:
      largest = max(weights)
      power = 1 / self.temperature
      shares = [float(weight / largest) ** power for weight in weights]
      # Something is read of all, however cold it gets.
      weights = [
        Fraction(max(share, 1 / order.MOST_WEIGHT)) for share in shares
      ]
    return order.whole_weights(weights)

  @property
  def corpus(self) -> Corpus:
    """All corpora as one; a single corpus is returned unchanged."""
    if len(self.corpora) == 1:
      return self.corpora[0]
    name = ",".join(corpus.name for corpus in self.corpora)
    facts = [corpus.fingerprint for corpus in self.corpora]
    given = self.weights and [str(weight) for weight in self.weights]
    return Corpus(
      name,
      cache.key("mixture 1", facts, given, self.temperature),
      self._documents,
      lambda: sum(corpus.size() for corpus in self.corpora),
    )

  def _documents(self, split: str) -> Iterator[Document]:
    """Yields documents of all corpora; next is the one furthest behind.

    Each corpus has a share of the bytes. Where one ends the others continue.
    """
    shares = self.shares([max(1, corpus.size()) for corpus in self.corpora])
    streams = [corpus.documents(split) for corpus in self.corpora]
    taken = [0] * len(shares)  # bytes
    left = set(range(len(shares)))
    while left:
      part = min(left, key=lambda part: (taken[part] / shares[part], part))
      document = next(streams[part], None)
      if document is None:
        left.discard(part)
        continue
      taken[part] += len(document.text.encode())
      yield document


def _exists(corpus: str) -> bool:
  return paths.exists(os.path.expanduser(corpus))


def _weighted(part: str) -> tuple[str, Fraction | None]:
  """Splits a part into corpus and weight; an existing path is not split."""
  name, colon, text = part.rpartition(":")
  if not colon or _exists(part):
    return part, None
  if not _NUMBER.fullmatch(text):
    return part, None  # Maybe a TFDS version: lm1b:1.1.0.
  return name, Fraction(text)


def parse(corpus: str) -> list[tuple[str, Fraction | None]]:
  """Splits `--data.corpus` into parts, each with its weight or None.

  Commas separate the parts; a weight follows a colon. A path may contain either
  sign: if a part can be read in several ways, the longest existing path wins.

  Raises:
    UsageError: a part has no name or occurs twice, a weight
      is not positive, or only some of the parts have weights.
  """
  words = corpus.split(",")
  parts: list[tuple[str, Fraction | None]] = []
  while words:
    for count in range(len(words), 0, -1):
      part = _weighted(",".join(words[:count]))
      if count == 1 or _exists(part[0]):
        break
    parts.append(part)
    del words[:count]
  names = [name for name, _ in parts]
  without = [name for name, weight in parts if weight is None]
  with about(f"--data.corpus={corpus}"):
    for name, weight in parts:
      if weight is not None and weight <= 0:
        raise UsageError(
          f"the weight of {name!r} is {weight}; it must be above 0"
        )
      if not name.strip():
        raise UsageError("a part has no name")
      if names.count(name) > 1:
        raise UsageError(f"{name!r} is there twice")
    if without and len(without) < len(parts):
      raise UsageError(
        f"{without[0]!r} has no weight; give all parts one, or none"
      )
  return parts


def open_mixture(options: DataOptions) -> Mixture:
  """Opens the corpora that `--data.corpus` names; see `open_corpus`."""
  parts = parse(options.corpus)
  if options.label_key and len(parts) > 1:
    raise UsageError(
      f"--data.label_key={options.label_key}: is for one corpus, and"
      f" --data.corpus={options.corpus} has {len(parts)}"
    )
  corpora = [
    open_corpus(dataclasses.replace(options, corpus=name)) for name, _ in parts
  ]
  weights = tuple(weight for _, weight in parts if weight is not None)
  return Mixture(tuple(corpora), weights or None, options.temperature)
