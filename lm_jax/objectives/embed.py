"""Fine-tunes embeddings: a query near its passage (contrastive retrieval)."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from lm_jax.objectives import _supervised, base
from lm_jax.objectives.base import option
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Problem, Rows, Spec, Term

# Values of Rows.label: the role of a text. The passage that answers a query
# follows it, and negatives of that query follow the passage.
QUERY, PASSAGE, NEGATIVE = 0, 1, 2
_NEVER = -1e30


@dataclasses.dataclass(frozen=True)
class Embed(base.Objective):
  """L = -1/n sum_i log(exp(s(q_i, p_i) / t) / sum_j exp(s(q_i, p_j) / t)).

  InfoNCE (van den Oord et al. 2018) with in-batch negatives, as in Karpukhin
  et al. 2020, equation 2: j goes over all passages of the batch, those of
  other queries and the hard negatives of every query. s is the cosine, or the
  dot product, of two pooled texts, and t the temperature. `symmetric`
  averages that with the same loss from passage to query (CLIP, Radford et al.
  2021).

  Every text of a row is a segment: adjacent tokens with one Rows.label (QUERY,
  PASSAGE or NEGATIVE) and one Rows.sentence_BxL, which is the number of the
  text in its data. These numbers identify passages that answer the query in
  another pair of the batch, or repeat the query's own passage: they are no
  negatives.
  """

  architectures = frozenset(
    {"encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"}
  )
  natural = "encoder"
  scoring = ""
  headless = True
  supervised = True
  parts_examples = True

  temperature: float = option(
    0.05, "temperature; similarities are divided by it", above=0
  )
  similarity: Literal["cosine", "dot"] = option(
    "cosine", "similarity of two vectors; cosine normalizes them"
  )
  pool: Literal["mean", "first", "last"] = option(
    "mean", "pooling of a text's states into its vector"
  )
  symmetric: bool = option(
    False, "also train to find the query of a passage, with half of the weight"
  )

  @property
  def embedding(self) -> base.Embedding:
    return base.Embedding(self.pool, self.similarity)

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    super().check(spec, batch_size, accumulate)
    if accumulate > 1:
      raise UsageError(
        f"--accumulate={accumulate}: embed compares all texts of a batch, so"
        " it must be 1"
      )
    base.require_pool(self.pool, spec, "--objective.pool")

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    number_BxL = _supervised.texts(rows, rows.sentence_BxL)
    rows = dataclasses.replace(rows, segment_BxL=number_BxL)
    role_BxS, text_BxS = (
      _supervised.values_of_texts(values_BxL, rows.segment_BxL)
      for values_BxL in (rows.label, rows.sentence_BxL)
    )
    next_BxS = jnp.roll(role_BxS, -1, axis=1).at[:, -1].set(-1)
    asks_BxS = (role_BxS == QUERY) & (next_BxS == PASSAGE)
    weight_BxS = asks_BxS.astype(jnp.float32)
    terms = ("query", "passage") if self.symmetric else ("query",)
    return dataclasses.replace(
      self.read(rows, spec),
      weights=dict.fromkeys(terms, weight_BxS),
      extra={"role_BxS": role_BxS, "text_BxS": text_BxS},
    )

  def loss(self, apply, problem: Problem, rng: Array) -> dict[str, Term]:
    weight_BxS = problem.weights["query"]
    role_BxS, text_BxS = (problem.extra[x] for x in ("role_BxS", "text_BxS"))
    batch, count = role_BxS.shape
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    vector_BxSxD = _supervised.pooled(
      hidden_BxTxD, problem.inputs.segment_BxT, self.pool, count
    ).astype(jnp.float32)
    if self.similarity == "cosine":
      vector_BxSxD = normalized(vector_BxSxD)
    vector_NxD = vector_BxSxD.reshape(batch * count, -1)
    score_NxN = jnp.matmul(vector_NxD, vector_NxD.T, precision="highest")
    score_NxN = score_NxN / self.temperature

    size = batch * count
    own_N = jnp.minimum(jnp.arange(size) + 1, size - 1)  # a query's passage
    asks_N, role_N = weight_BxS.reshape(-1) > 0, role_BxS.reshape(-1)
    right_NxN = relevant(text_BxS.reshape(-1), asks_N, own_N)
    is_own_NxN = own_N[:, None] == jnp.arange(size)
    among_NxN = asks_N[:, None] & (role_N >= PASSAGE)
    among_NxN &= is_own_NxN | ~right_NxN
    losses_N, first_N = _chosen(score_NxN, among_NxN, own_N)
    shape, scale = (batch, count), 0.5 if self.symmetric else 1.0
    metrics = {"in_batch_accuracy": first_N.reshape(shape)}
    terms = {"query": Term(losses_N.reshape(shape), scale, metrics)}
    if self.symmetric:
      among_NxN = asks_N[:, None] & asks_N
      among_NxN &= jnp.eye(size, dtype=bool) | ~right_NxN.T[own_N]
      losses_N, _ = _chosen(score_NxN[own_N], among_NxN, jnp.arange(size))
      terms["passage"] = Term(losses_N.reshape(shape), scale)
    return terms


def relevant(text_N: Array, asks_N: Array, own_N: Array) -> Array:
  """Returns whether text j answers text i in any pair of the batch: [N, N].

  Args:
    text_N: number of each text.
    asks_N: whether it is a query with a passage.
    own_N: index of that passage.
  """
  size = text_N.shape[0]
  first_N = jnp.argmax(text_N[:, None] == text_N, axis=1)  # of equal texts
  pairs_NxN = jnp.zeros((size, size), bool)
  pairs_NxN = pairs_NxN.at[first_N, first_N[own_N]].max(asks_N)
  return pairs_NxN[first_N][:, first_N]


def normalized(vector_BxSxD: Array) -> Array:
  """Scales vectors to length 1; a zero vector stays."""
  square = jnp.sum(vector_BxSxD**2, axis=-1, keepdims=True)
  return vector_BxSxD * jax.lax.rsqrt(jnp.maximum(square, 1e-24))


def _chosen(
  score_NxN: Array, among_NxN: Array, own_N: Array
) -> tuple[Array, Array]:
  """Computes -log softmax(scores)[own], and whether own is the highest."""
  # Rows without candidates have no weight, but must be finite.
  score_NxN = jnp.where(among_NxN, score_NxN, _NEVER)
  own_score_N = jnp.take_along_axis(score_NxN, own_N[:, None], axis=1)[:, 0]
  losses_N = jax.nn.logsumexp(score_NxN, axis=1) - own_score_N
  right_N = own_score_N >= jnp.max(score_NxN, axis=1)
  return losses_N, right_N.astype(jnp.float32)
