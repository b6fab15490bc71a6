"""Turns queries and documents into vectors, by a model's frozen features."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np

from lm_jax.support.options import option

GROUP = "dense"  # of flags
# Documents to hold as vectors at once, before they are indexed.
CHUNK = 4096


@dataclasses.dataclass(frozen=True)
class Encoding:
  """Settings of the vectors of texts; the fields are flags.

  pool: see Scorer.text_features.
  similarity: "cosine" normalizes vectors: all dot products are cosines.
  """

  pool: Literal["", "mean", "first", "last"] = option(
    "",
    "what of a text's states is its vector; by default the model's own",
    group=GROUP,
  )
  similarity: Literal["", "cosine", "dot"] = option(
    "", "of two vectors; by default the model's own, or cosine", group=GROUP
  )
  length: int = option(
    0,
    "tokens of a text that the model reads; 0: as many as it can",
    least=0,
    group=GROUP,
  )
  query_prefix: str = option(
    "",
    "what stands before a query, where the model was trained so",
    group=GROUP,
  )
  document_prefix: str = option("", "and before a document", group=GROUP)


OWN = Encoding()  # as the model was trained


class Encoder:
  """Computes the vectors of texts by a model.

  Args:
    scorer: the model, lm_jax.inference.score.Scorer.

  Attributes:
    cut: number of documents so far that did not fit and lost tokens.
  """

  def __init__(self, scorer: Any, encoding: Encoding = OWN):
    self._scorer = scorer
    self.encoding = encoding
    self.cut = 0

  @property
  def longest(self) -> int:
    """Most tokens of a text that are read, including special tokens."""
    most = self._scorer.spec.length
    return min(self.encoding.length or most, most)

  @property
  def facts(self) -> dict[str, Any]:
    """Settings that vectors of documents depend on besides the model: JSON."""
    own = self._scorer.objective.embedding
    return {
      "pool": self.encoding.pool or own.pool,
      "similarity": self.encoding.similarity or own.similarity,
      "length": self.longest,
      "document_prefix": self.encoding.document_prefix,
    }

  def queries(self, texts: Sequence[str]) -> np.ndarray:
    """Computes vectors of queries: float32 [n, D]."""
    return self._vectors(texts, self.encoding.query_prefix)

  def documents(self, texts: Sequence[str]) -> Iterator[np.ndarray]:
    """Yields vectors of documents: float32 [CHUNK, D], the last one shorter."""
    prefix = self.encoding.document_prefix
    for start in range(0, len(texts), CHUNK):
      chunk = texts[start : start + CHUNK]
      lengths = self._scorer.text_lengths([prefix + text for text in chunk])
      self.cut += int((lengths > self.longest).sum())
      yield self._vectors(chunk, prefix)

  def _vectors(self, texts: Sequence[str], prefix: str) -> np.ndarray:
    vectors_NxD = self._scorer.text_features(
      [prefix + text for text in texts], self.encoding.pool, self.longest
    )
    if self.facts["similarity"] == "cosine":
      norm_Nx1 = np.linalg.norm(vectors_NxD, axis=1, keepdims=True)
      vectors_NxD = vectors_NxD / np.maximum(norm_Nx1, 1e-12)
    return np.ascontiguousarray(vectors_NxD, np.float32)
