"""Defines the interface of all training objectives.

An objective turns rows into a problem (`make`, pure, on the device, with
static shapes), a problem into losses (`loss`, given the network), and scores
texts in its own terms (`score`). To add one, write one new file beside this
one with one subclass; its fields become flags (`--objective.rate=0.3`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax.numpy as jnp

from lm_jax import layout
from lm_jax import specials as specials_lib
from lm_jax.layout import Part
from lm_jax.support.errors import UsageError
from lm_jax.support.options import check_ranges
from lm_jax.support.options import option as option  # of every objective
from lm_jax.types import (
  ANSWER,
  Apply,
  Architecture,
  Array,
  Head,
  Likelihood,
  Problem,
  Rows,
  Spec,
  Stream,
  Term,
  Trunk,
)

# Architectures that can write an answer.
DECODERS = frozenset({"causal_decoder", "prefix_decoder", "encoder_decoder"})


class Embedding(NamedTuple):
  """Pooling of a text into a vector, and the similarity of two vectors.

  pool: "mean", "first" or "last" of its last-layer states.
  similarity: "cosine" or "dot".
  """

  pool: str = "mean"
  similarity: str = "cosine"


LEFT_TO_RIGHT = Likelihood("exact", "left-to-right chain rule")


@dataclasses.dataclass(frozen=True)
class Objective:
  """Base class of objectives; hashable, so that `jit` can distinguish two."""

  # Valid architectures, and the default one.
  architectures: ClassVar[frozenset[str]]
  natural: ClassVar[Architecture]
  # The kind of `score`: "log_likelihood", "pseudo_log_likelihood",
  # "infilling" or "energy". Only equal kinds compare.
  scoring: ClassVar[str]
  # Whether it needs rows that hold one document each.
  needs_documents: ClassVar[bool] = False
  # Whether its models can continue a text, from left to right.
  continues: ClassVar[bool] = False
  # Whether its models can predict the token at a [MASK].
  fills: ClassVar[bool] = False
  # Whether it learns from examples with right answers (`finetune`), in rows
  # with labels.
  supervised: ClassVar[bool] = False
  # Whether the texts of one example cannot see each other, though they share a
  # row with `--data.packing=document`.
  parts_examples: ClassVar[bool] = False
  # Prefixes of names: its own parameters start from those of another output, if
  # the model has only these.
  starts_from: ClassVar[Mapping[str, str]] = {}
  # Special tokens that it needs besides the boundary, as fields of Specials.
  needs: ClassVar[tuple[str, ...]] = ()
  # Whether it trains only the states, without an output on them.
  headless: ClassVar[bool] = False

  @property
  def follows_budget(self) -> bool:
    """Says if `make` takes a fourth argument, the share of the budget spent.

    Its default, used for held-out rows, is 1.
    """
    return False

  @property
  def uses_sentences(self) -> str:
    """Says what it does with the sentences of a row; "" if it needs none."""
    return ""

  @property
  def name(self) -> str:
    """Name of its file (lm_jax/support/registry.py)."""
    return type(self).__module__.rpartition(".")[2]

  @property
  def embedding(self) -> Embedding:
    """Default pooling and similarity of text vectors."""
    return Embedding()

  def stacks(self, trunk: Trunk) -> dict[str, Trunk]:
    """Returns the transformer stacks by name; "main" is the fine-tuned one."""
    return {"main": trunk}

  def heads(self, spec: Spec) -> dict[str, Head]:
    """Returns the outputs besides the vocabulary, by name."""
    return {}

  def scores_by(self, spec: Spec) -> str:
    """Name of the output that `score` reads: vocabulary or energy's head."""
    if self.scoring == "energy":
      return next(iter(self.heads(spec)))
    return "vocabulary"

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    """Raises UsageError if the tokenizer or the batch does not fit.

    It is called before anything is compiled. Overriding methods call it.
    """
    check_ranges(self, "objective.")
    needs = ("boundary", *self.needs)
    if spec.architecture == "encoder_decoder":
      needs = (*needs, "start")
    specials_lib.require(spec.specials, needs, self.name)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    """Corrupts the whole batch: a pure function, static shapes.

    Args:
      rng: a key that depends only on the seed and the step.
      rows: [B, L].
      spec: facts about the model.
    """
    raise NotImplementedError

  def loss(self, apply: Apply, problem: Problem, rng: Array) -> dict[str, Term]:
    """Returns the terms of the loss; by default cross-entropy of the targets.

    `problem` may be a part of the batch (accumulation), so whatever is random
    here must be drawn from keys in `problem.extra` if it is to be exact.
    """
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    losses_BxP = apply.nll(
      hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
    )
    return {"nll": Term(losses_BxP)}

  def score(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    """Scores each token, float32 [B, L], in nats; special tokens get 0."""
    raise NotImplementedError

  @classmethod
  def likelihood(cls) -> Likelihood | None:
    """Names the way to have the likelihood of a text; None: it has none."""
    return LEFT_TO_RIGHT if cls.scoring == "log_likelihood" else None

  def log_likelihood(
    self, apply: Apply, rows: Rows, spec: Spec, draw: Array
  ) -> Array:
    """Computes terms of the log-likelihood, float32 [B, L], in nats.

    Their sum over a segment is log p of its text, or of a bound an unbiased
    estimate of at most that; special tokens get 0.

    Args:
      apply, rows, spec: the network and the rows.
      draw: uint32, the number of the pass; choices of a row are drawn from this
        number and its own tokens. An exact likelihood has one pass.
    """
    return self.score(apply, rows, spec)

  def read(self, rows: Rows, spec: Spec) -> Problem:
    """Lays out a whole text for features; there are no targets.

    An encoder and the prefix of a prefix_decoder see both ways. An
    encoder_decoder reads the text in both stacks, as BART does for
    classification (Lewis et al. 2020, section 3.1), the decoder after its
    start token.
    """
    source = None
    if spec.architecture == "encoder_decoder":
      source = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
      if spec.specials.before[:1] != (spec.specials.start,):
        text = Part(rows.tokens_BxL, rows.segment_BxL)
        rows = dataclasses.replace(rows, tokens_BxL=layout.shift(text, spec))
    if spec.architecture == "prefix_decoder":
      inputs = layout.stream(rows.tokens_BxL, rows.segment_BxL, "full")
    else:
      inputs = layout.in_place(rows, spec)
    return Problem(inputs, source, rows.tokens_BxL, {})

  def outputs(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    """Computes float32 outputs from which examples are answered.

    Returns:
      Logits [B, L, size] of each token, or [B, S, size] of each segment that a
      row has room for, in the form that lm_jax/finetuning/heads reads.
    """
    raise NotImplementedError  # unless `supervised`, with a head

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    """Lays out a text to be continued token by token; there are no targets.

    The state at the last position of `inputs` predicts the first new token,
    which is appended.

    Args:
      rows: [B, L], one text each, which begins with the boundary token; the
        padding is on the left.
      spec: of the model.
    """
    raise NotImplementedError  # unless `continues`

  def fill(
    self, apply: Apply, rows: Rows, spec: Spec, positions_BxP: Array
  ) -> Array:
    """Computes logits at some positions: float32 [B, P, V].

    Args:
      apply, rows, spec: the network, and one text per row; [MASK] stands for
        unknown tokens.
      positions_BxP: int32, positions in the rows.
    """
    raise NotImplementedError  # unless `fills`


def predicting(
  inputs: Stream, tokens_BxL: Array, at_BxP: Array, there_BxP: Array
) -> Problem:
  """Makes a problem whose targets are the tokens at some positions.

  Args:
    inputs: what the network reads.
    tokens_BxL: the right tokens.
    at_BxP: int32, positions in the rows.
    there_BxP: bool, whether a position counts.
  """
  return Problem(
    inputs=inputs,
    source=None,
    targets_BxP=layout.take(tokens_BxL, at_BxP),
    weights={"nll": there_BxP.astype(jnp.float32)},
    positions_BxP=at_BxP,
  )


def answering(
  rows: Rows,
  spec: Spec,
  before: int | None = None,
  after: int | None = None,
  answer: Part | None = None,
) -> Problem:
  """Lays out a prompt as the context of an answer that has begun.

  Args:
    rows: of `Objective.prompt`.
    spec: of the model.
    before: replaces the boundary token; None removes it.
    after: a token after the text; or None.
    answer: its first tokens, if there are any.
  """
  opening_BxL = opening(rows, spec)
  first = spec.specials.boundary if before is None else before
  context = Part(
    jnp.where(opening_BxL, first, rows.tokens_BxL),
    jnp.where(opening_BxL & (before is None), 0, rows.segment_BxL),
  )
  one_Bx1 = jnp.ones_like(rows.tokens_BxL[:, :1])
  if after is not None:
    context = Part(
      jnp.concatenate([context.tokens_BxN, after * one_Bx1], axis=1),
      jnp.concatenate([context.segment_BxN, one_Bx1], axis=1),
    )
  # The token to be predicted; its id does not matter.
  last = Part(one_Bx1, one_Bx1)
  if answer is not None:
    last = Part(
      jnp.concatenate([answer.tokens_BxN, one_Bx1], axis=1),
      jnp.concatenate([answer.segment_BxN, one_Bx1], axis=1),
    )
  return layout.pair(context, last, spec)


def eligible(rows: Rows, spec: Spec) -> Array:
  """Mask of text tokens that are not special, padding or context: [B, L].

  An unknown token stands for text, and so counts as text.
  """
  text_BxL = specials_lib.is_text(rows.tokens_BxL, spec.specials)
  return (rows.part_BxL == ANSWER) & text_BxL


def opening(rows: Rows, spec: Spec) -> Array:
  """Mask of the boundary tokens that segments start with: bool [B, L].

  The id alone is not enough: padding and ends may share it.

  >>> one = jnp.ones((1, 4), jnp.int32)
  >>> rows = Rows(jnp.array([[2, 200, 2, 2]]), one, one, one, one)
  >>> opening(rows, Spec("causal_decoder", 4, 300))
  Array([[ True, False, False, False]], dtype=bool)
  """
  first_BxL = layout.starts(rows.segment_BxL) & (rows.segment_BxL > 0)
  return first_BxL & (rows.tokens_BxL == spec.specials.boundary)


def next_token(rows: Rows, spec: Spec) -> tuple[Array, Array]:
  """Returns targets and weights [B, L] for predicting each next token.

  Targets are in the same segment.

  >>> one = jnp.ones((1, 4), jnp.int32)
  >>> tokens = jnp.array([[2, 200, 2, 201]])
  >>> segment = jnp.array([[1, 1, 2, 2]])
  >>> rows = Rows(tokens, segment, one, one, one)
  >>> next_token(rows, Spec("causal_decoder", 4, 300))[1]
  Array([[1., 0., 1., 0.]], dtype=float32)
  """
  target_BxL = jnp.roll(rows.tokens_BxL, -1, axis=1)
  after_BxL = jnp.roll(rows.segment_BxL, -1, axis=1).at[:, -1].set(0)
  answer_BxL = jnp.roll(rows.part_BxL, -1, axis=1) == ANSWER
  same_BxL = (after_BxL == rows.segment_BxL) & (rows.segment_BxL > 0)
  return target_BxL, (same_BxL & answer_BxL).astype(jnp.float32)


def require_pool(pool: str, spec: Spec, flag: str) -> None:
  """Raises UsageError where the first state of a text has not seen it."""
  one_way = spec.architecture in ("causal_decoder", "encoder_decoder")
  if pool == "first" and one_way:
    raise UsageError(
      f"{flag}=first: the first state of a {spec.architecture} has seen one"
      " token; valid are mean and last"
    )
