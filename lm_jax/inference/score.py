"""Scores and features of texts by any model, with its objective's own score.

Evaluators get a Scorer and never re-implement a loss.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from lm_jax import specials as specials_lib
from lm_jax.data.rows import pad_texts
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.devices import sharding
from lm_jax.loaded_model import Trained
from lm_jax.support.errors import UsageError
from lm_jax.types import PADDING, Rows, Spec

# Texts are padded to a multiple of this, and as many of equal length go
# together. A pseudo-likelihood takes a pass for each token, so padding is dear;
# features take one for all, so another compilation is.
BUCKET = 8
FEATURE_BUCKET = 32
BATCH = 32


@functools.lru_cache(maxsize=64)
def _compiled(objective, network, spec: Spec, kind: str):
  """A jitted function (params, rows, ...) -> the values of that kind."""

  def scores(net, rows):
    return objective.score(net, rows, spec)

  def log_likelihood(net, rows, draw):
    return objective.log_likelihood(net, rows, spec, draw)

  def states(net, rows):
    problem = objective.read(rows, spec)
    hidden_BxLxD = net.hidden(problem.inputs, problem.source)
    return hidden_BxLxD.astype(jnp.float32)

  def mean(net, rows):
    weight_BxLx1 = (rows.part_BxL != PADDING)[:, :, None].astype(jnp.float32)
    sum_BxD = jnp.sum(states(net, rows) * weight_BxLx1, axis=1)
    return sum_BxD / jnp.maximum(jnp.sum(weight_BxLx1, axis=1), 1)

  def first(net, rows):
    return states(net, rows)[:, 0]

  def last(net, rows):
    size_B = jnp.sum(rows.part_BxL != PADDING, axis=1)
    at_Bx1x1 = jnp.maximum(size_B - 1, 0)[:, None, None]
    return jnp.take_along_axis(states(net, rows), at_Bx1x1, axis=1)[:, 0]

  kinds = (scores, log_likelihood, states, mean, first, last)
  return exact({f.__name__: f for f in kinds}[kind], network)


def exact(function: Callable, network: Any) -> Callable:
  """A jitted (params, *args) -> function(net, *args), in true float32.

  On every backend: differences between two sentences are small.
  """
  apply = nn.apply(function, network)

  @jax.jit
  def run(params, *args):
    with jax.default_matmul_precision("highest"):
      return apply({"params": params}, *args)

  return run


class Scorer:
  """A trained model as evaluators see it.

  Args:
    model: without a tokenizer it scores rows only.

  Attributes:
    objective: gives the score and the layout for reading.
    scoring: what its scores are; "" for a model without the output that they
      are read from.
    likelihood: the way to have the likelihood of a text; None: it has none.
    spec: its spec, with the length of a text.
  """

  def __init__(self, model: Trained):
    self.objective = model.objective
    self.scoring: str = model.scoring
    self.likelihood = model.likelihood
    self.spec = dataclasses.replace(model.spec, length=model.text_length)
    self._network = model.measuring
    self._params = model.params
    self._tokenizer = cast(Tokenizer, model.tokenizer)

  def token_scores(self, rows: Rows) -> np.ndarray:
    """Score of each token, float32 [B, L]; 0 on specials and padding.

    Raises:
      UsageError: the tokenizer lacks a token that the score needs ([MASK]).
    """
    needs = self.objective.needs
    specials_lib.require(self.spec.specials, needs, self.objective.name)
    return self._run("scores", rows)

  def log_likelihood(self, rows: Rows, draw: int = 0) -> np.ndarray:
    """Terms of `Objective.log_likelihood`, float32 [B, L], of a pass.

    Raises:
      UsageError: the tokenizer lacks a token that the objective needs.
    """
    needs = self.objective.needs
    specials_lib.require(self.spec.specials, needs, self.objective.name)
    return self._run("log_likelihood", rows, np.uint32(draw))

  def states(self, rows: Rows) -> np.ndarray:
    """Last-layer states, float32 [B, L, D]; without meaning on padding."""
    return self._run("states", rows)

  def text_scores(self, texts: Sequence[str]) -> np.ndarray:
    """Sum of each text's token scores, in nats: float64 [n].

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    sums = [s.astype(np.float64).sum() for s in self.text_token_scores(texts)]
    return np.array(sums, np.float64)

  def text_token_scores(self, texts: Sequence[str]) -> list[np.ndarray]:
    """Score of each token of each text, in nats: n of float32 [T].

    Aligned with `tokenizer.encode(text)`: what stands around a text has no
    score.

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    specials = self._tokenizer.specials
    before, after = len(specials.before), len(specials.after)
    return [
      x_T[before : len(x_T) - after]
      for x_T in self._by_text(texts, self.token_scores)
    ]

  def text_states(self, texts: Sequence[str]) -> list[np.ndarray]:
    """Last-layer states of each text: n of float32 [before + T + after, D].

    Those of the special tokens around it (Specials.before and .after, by
    default one boundary token in front) are among them.

    Raises:
      UsageError: a text is longer than the model's rows.
    """
    return self._by_text(texts, self.states)

  def text_features(
    self, texts: Sequence[str], pool: str = "", length: int = 0
  ) -> np.ndarray:
    """One vector of last-layer states for each text: float32 [n, D].

    Args:
      texts: those that are too long are cut.
      pool: the "mean" of a text's states (those of the special tokens around
        it among them), the "first" or the "last" one; "": as the objective
        was trained for, or the mean.
      length: tokens of a text that are read, with the special ones; 0: as
        many as the model reads.

    Raises:
      UsageError: the first state of a model that reads from left to right.
    """
    pool = pool or self.objective.embedding.pool
    one_way = self.spec.architecture in ("causal_decoder", "encoder_decoder")
    if pool == "first" and one_way:
      raise UsageError(
        f"pool=first: the first state of a {self.spec.architecture} has seen"
        " one token; valid are mean and last"
      )
    longest = min(length or self.spec.length, self.spec.length)
    lengths = np.minimum(self.text_lengths(texts), longest)
    width = dict(self._network.trunks)["main"].width
    features = np.zeros((len(texts), width), np.float32)
    for index, rows in self._batches(texts, lengths, FEATURE_BUCKET, longest):
      features[index] = self._run(pool, rows)[: len(index)]
    return features

  def _by_text(
    self, texts: Sequence[str], function: Callable[[Rows], np.ndarray]
  ) -> list[np.ndarray]:
    lengths = self.text_lengths(texts)
    longest = lengths.max(initial=0)
    if longest > self.spec.length:
      raise UsageError(
        f"a text of {longest} tokens, with the special ones around it: the "
        f"model reads {self.spec.length}"
      )
    scores: list[Any] = [None] * len(texts)
    longest = self.spec.length
    for index, rows in self._batches(texts, lengths, BUCKET, longest):
      for i, values in zip(index, function(rows), strict=False):
        scores[i] = values[: lengths[i]]
    return scores

  def _run(self, kind: str, rows: Rows, *args: Any) -> np.ndarray:
    run = _compiled(self.objective, self._network, self.spec, kind)
    return sharding.fetch(run(self._params, rows, *args))

  def text_lengths(self, texts: Sequence[str]) -> np.ndarray:
    """Counts tokens, with the special ones around each text: int64 [n]."""
    specials = self._tokenizer.specials
    around = len(specials.before) + len(specials.after)
    counts = [around + len(self._tokenizer.encode(text)) for text in texts]
    return np.array(counts, np.int64)

  def unknown_counts(self, texts: Sequence[str]) -> np.ndarray:
    """Counts the unknown tokens of each text: int64 [n]."""
    unknown = self._tokenizer.specials.unknown
    counts = [
      int((np.asarray(self._tokenizer.encode(text)) == unknown).sum())
      for text in texts
    ]
    return np.array(counts, np.int64)

  def _batches(
    self,
    texts: Sequence[str],
    lengths: np.ndarray,
    multiple: int,
    longest: int,
  ) -> Iterator[tuple[np.ndarray, Rows]]:
    """Texts of like length together: their indices, and rows of BATCH."""
    buckets = multiple * np.maximum(-(-lengths // multiple), 1)
    buckets = np.minimum(buckets, longest)
    for bucket in np.unique(buckets):
      members = np.flatnonzero(buckets == bucket)
      for start in range(0, len(members), BATCH):
        index = members[start : start + BATCH]
        chosen = [texts[i] for i in index]
        chosen += [""] * (BATCH - len(chosen))
        yield index, pad_texts(self._tokenizer, chosen, int(bucket))[0]
