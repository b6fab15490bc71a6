"""Scores and features of texts by any model, with its objective's own score.

Evaluators get a Scorer and never re-implement a loss.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.types import PADDING, Array, Rows, Spec

# Texts are padded to a multiple of this, and as many of equal length scored
# together: few compilations, little padding.
BUCKET = 8
BATCH = 32


@functools.lru_cache(maxsize=64)
def _compiled(objective, network, spec: Spec, kind: str):
  """A jitted function (params, rows) -> scores [B, L] or features [B, D]."""

  def scores(net, rows):
    return objective.score(net, rows, spec)

  def features(net, rows):
    problem = objective.read(rows, spec)
    hidden_BxLxD = net.hidden(problem.inputs, problem.source)
    weight_BxL = (rows.part_BxL != PADDING).astype(jnp.float32)
    sum_BxD = jnp.sum(
      hidden_BxLxD.astype(jnp.float32) * weight_BxL[:, :, None], axis=1
    )
    count_Bx1 = jnp.sum(weight_BxL, axis=1, keepdims=True)
    return sum_BxD / jnp.maximum(count_Bx1, 1)

  apply = nn.apply({"scores": scores, "features": features}[kind], network)

  @jax.jit
  def run(params, rows):
    # Float32 means float32, on every backend: differences between two
    # sentences are small.
    with jax.default_matmul_precision("highest"):
      return apply({"params": params}, rows)

  return run


class Scorer:
  """A trained model as evaluators see it.

  Args:
    objective: gives the score and the layout for reading.
    network: its network, deterministic, in float32.
    params: its parameters.
    spec: its spec.
    pad_texts: texts and a length to Rows and the number of texts cut
      (lm_jax/data/rows.py).
    count_tokens: lengths of texts in tokens, with the boundary token.
  """

  def __init__(
    self,
    objective: Any,
    network: Any,
    params: Any,
    spec: Spec,
    pad_texts: Callable[[Sequence[str], int], tuple[Rows, int]],
    count_tokens: Callable[[Sequence[str]], list[int]],
  ):
    self.objective = objective
    self.scoring: str = objective.scoring
    self._network = network
    self._params = params
    self.spec = spec
    self._pad_texts = pad_texts
    self._count_tokens = count_tokens

  def token_scores(self, rows: Rows) -> np.ndarray:
    """Score of each token, float32 [B, L]; 0 on specials and padding."""
    return np.asarray(self._run("scores", rows))

  def text_scores(self, texts: Sequence[str]) -> np.ndarray:
    """Sum of each text's token scores, in nats: float64 [n].

    Raises:
      ValueError: a text is longer than the model's rows.
    """
    sums = np.zeros(len(texts))
    for index, rows in self._batches(texts, cut=False):
      scores = self.token_scores(rows).astype(np.float64)
      sums[index] = scores.sum(axis=1)[: len(index)]
    return sums

  def text_features(self, texts: Sequence[str]) -> np.ndarray:
    """Mean last-layer state of each text, float32 [n, D]; long texts are cut.
    """
    out: np.ndarray | None = None
    for index, rows in self._batches(texts, cut=True):
      features = np.asarray(self._run("features", rows))[: len(index)]
      if out is None:
        out = np.zeros((len(texts), features.shape[1]), np.float32)
      out[index] = features
    return np.zeros((0, 0), np.float32) if out is None else out

  def _run(self, kind: str, rows: Rows) -> Array:
    run = _compiled(self.objective, self._network, self.spec, kind)
    return run(self._params, rows)

  def _batches(
    self, texts: Sequence[str], cut: bool
  ) -> Iterator[tuple[np.ndarray, Rows]]:
    """Texts of like length together: their indices, and rows of BATCH."""
    lengths = np.array(self._count_tokens(texts))
    if not cut and lengths.max(initial=0) > self.spec.length:
      raise ValueError(
        f"a text of {lengths.max()} tokens: the model reads "
        f"{self.spec.length}"
      )
    buckets = np.minimum(-(-lengths // BUCKET) * BUCKET, self.spec.length)
    for bucket in np.unique(buckets):
      members = np.flatnonzero(buckets == bucket)
      for start in range(0, len(members), BATCH):
        index = members[start : start + BATCH]
        chosen = [texts[i] for i in index]
        chosen += [""] * (BATCH - len(chosen))
        yield index, self._pad_texts(chosen, int(bucket))[0]
