"""The interface of everything that trains.

An objective turns rows into a problem (`make`, pure, on the device, with
static shapes), a problem into losses (`loss`, given the network), and scores
texts in its own terms (`score`). To add one, write one new file beside this
one with one subclass; its fields become flags (`--objective.rate=0.3`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from lm_jax import layout
from lm_jax import specials as specials_lib
from lm_jax.layout import Part
from lm_jax.support.errors import UsageError
from lm_jax.types import (
  ANSWER,
  Apply,
  Architecture,
  Array,
  Head,
  Problem,
  Rows,
  Spec,
  Term,
  Trunk,
)


def option(default, help_line: str, absent=None):
  """A field of an objective: its default and the help line of its flag.

  absent: what a run of before the option did, where it is not the default.
  """
  metadata = {"help": help_line, "absent": absent}
  return dataclasses.field(default=default, metadata=metadata)


class Embedding(NamedTuple):
  """How a text becomes a vector, and how two are compared.

  pool: of its last-layer states the "mean", the "first" or the "last".
  similarity: "cosine" or "dot".
  """

  pool: str = "mean"
  similarity: str = "cosine"


@dataclasses.dataclass(frozen=True)
class Objective:
  """What every objective has; hashable, so that `jit` can tell two apart."""

  # Where it fits, and where it runs unless told otherwise.
  architectures: ClassVar[frozenset[str]]
  natural: ClassVar[Architecture]
  # What `score` returns: "log_likelihood", "pseudo_log_likelihood",
  # "infilling" or "energy". Only equal kinds compare.
  scoring: ClassVar[str]
  # Does it need rows that hold one document each?
  needs_documents: ClassVar[bool] = False
  # Can its models go on with a text, from left to right?
  continues: ClassVar[bool] = False
  # Can its models tell what stands where a [MASK] is?
  fills: ClassVar[bool] = False
  # Does it learn from examples with right answers (`finetune`), in rows that
  # have labels?
  supervised: ClassVar[bool] = False
  # Do the texts of one example see nothing of each other, though they share a
  # row with `--data.packing=document`?
  parts_examples: ClassVar[bool] = False
  # Which parameters of another output its own start from, where the model has
  # those and not these: names begin so.
  starts_from: ClassVar[Mapping[str, str]] = {}
  # The special tokens that it needs besides the boundary, fields of Specials.
  needs: ClassVar[tuple[str, ...]] = ()
  # Does it train the states alone, without an output on them?
  headless: ClassVar[bool] = False

  @property
  def follows_budget(self) -> bool:
    """Does `make` take a fourth argument, the share of the budget spent?

    By default, as for held-out rows, all of it.
    """
    return False

  @property
  def name(self) -> str:
    """That of its file (lm_jax/support/registry.py)."""
    return type(self).__module__.rpartition(".")[2]

  @property
  def embedding(self) -> Embedding:
    """How a text becomes a vector, unless one says otherwise."""
    return Embedding()

  def stacks(self, trunk: Trunk) -> dict[str, Trunk]:
    """The transformer stacks, by name; "main" is what gets fine-tuned."""
    return {"main": trunk}

  def heads(self, spec: Spec) -> dict[str, Head]:
    """The outputs besides the vocabulary, by name."""
    return {}

  def scores_by(self, spec: Spec) -> str:
    """The output that `score` reads: the vocabulary, or an energy's head."""
    if self.scoring == "energy":
      return next(iter(self.heads(spec)))
    return "vocabulary"

  def check(self, spec: Spec, batch_size: int, accumulate: int) -> None:
    """Raises UsageError where it fits not the tokenizer or not the batch.

    Nothing is compiled before. Overriding methods call this one.
    """
    needs = ("boundary", *self.needs)
    if spec.architecture == "encoder_decoder":
      needs = (*needs, "start")
    specials_lib.require(spec.specials, needs, self.name)

  def make(self, rng: Array, rows: Rows, spec: Spec) -> Problem:
    """Corrupts the whole batch: a pure function, static shapes.

    Args:
      rng: a key that depends on the seed and the step alone.
      rows: [B, L].
      spec: what may be known of the model.
    """
    raise NotImplementedError

  def loss(self, apply: Apply, problem: Problem, rng: Array) -> dict[str, Term]:
    """The summands of the loss; by default the targets' cross-entropy.

    `problem` may be a part of the batch (accumulation), so whatever is random
    here must be drawn from keys in `problem.extra` if it is to be exact.
    """
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    losses_BxP = apply.nll(
      hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
    )
    return {"nll": Term(losses_BxP)}

  def score(self, apply: Apply, rows: Rows, spec: Spec) -> Array:
    """Per token, float32 [B, L], in nats; 0 on special tokens and padding."""
    raise NotImplementedError

  def read(self, rows: Rows, spec: Spec) -> Problem:
    """The layout in which a whole text is read, for features; no targets.

    An encoder and the prefix of a prefix_decoder see both ways. An
    encoder_decoder reads the text in both stacks, as BART does for
    classification (Lewis et al. 2020, section 3.1), the decoder behind its
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
    """What a supervised objective answers examples from, float32.

    Returns:
      logits [B, L, size] of each token, or [B, S, size] of each segment that a
      row has room for, as its kind (lm_jax/finetuning/heads) reads them.
    """
    raise NotImplementedError  # unless `supervised`, with a head

  def prompt(self, rows: Rows, spec: Spec) -> Problem:
    """The layout from which a text is continued, token by token; no targets.

    What has the last position of `inputs` predicts the first new token, which
    is put behind it.

    Args:
      rows: [B, L], one text each, which begins with the boundary token; the
        padding is on the left.
      spec: of the model.
    """
    raise NotImplementedError  # unless `continues`

  def fill(
    self, apply: Apply, rows: Rows, spec: Spec, positions_BxP: Array
  ) -> Array:
    """Logits of what stands at some positions: float32 [B, P, V].

    Args:
      apply, rows, spec: the network, and one text a row; [MASK] stands for
        what is not known.
      positions_BxP: int32, of the rows.
    """
    raise NotImplementedError  # unless `fills`


def answering(
  rows: Rows,
  spec: Spec,
  before: int | None = None,
  behind: int | None = None,
  answer: Part | None = None,
) -> Problem:
  """A prompt as the context of an answer that has begun.

  Args:
    rows: of `Objective.prompt`.
    spec: of the model.
    before: in the place of the boundary token, or None: nothing is.
    behind: a token behind the text; or None.
    answer: its first tokens, if it has any.
  """
  opening_BxL = opening(rows, spec)
  first = spec.specials.boundary if before is None else before
  context = Part(
    jnp.where(opening_BxL, first, rows.tokens_BxL),
    jnp.where(opening_BxL & (before is None), 0, rows.segment_BxL),
  )
  one_Bx1 = jnp.ones_like(rows.tokens_BxL[:, :1])
  if behind is not None:
    context = Part(
      jnp.concatenate([context.tokens_BxN, behind * one_Bx1], axis=1),
      jnp.concatenate([context.segment_BxN, one_Bx1], axis=1),
    )
  # What will be predicted; which token stands for it does not matter.
  last = Part(one_Bx1, one_Bx1)
  if answer is not None:
    last = Part(
      jnp.concatenate([answer.tokens_BxN, one_Bx1], axis=1),
      jnp.concatenate([answer.segment_BxN, one_Bx1], axis=1),
    )
  return layout.pair(context, last, spec)


def eligible(rows: Rows, spec: Spec) -> Array:
  """Tokens of the text, neither special nor padding nor context: [B, L].

  An unknown token stands for text, and so is one.
  """
  text_BxL = specials_lib.is_text(rows.tokens_BxL, spec.specials)
  return (rows.part_BxL == ANSWER) & text_BxL


def opening(rows: Rows, spec: Spec) -> Array:
  """The boundary tokens that segments start with: bool [B, L].

  The id alone does not tell them: padding and ends may share it.

  >>> one = jnp.ones((1, 4), jnp.int32)
  >>> rows = Rows(jnp.array([[2, 200, 2, 2]]), one, one, one, one)
  >>> opening(rows, Spec("causal_decoder", 4, 300))
  Array([[ True, False, False, False]], dtype=bool)
  """
  first_BxL = layout.starts(rows.segment_BxL) & (rows.segment_BxL > 0)
  return first_BxL & (rows.tokens_BxL == spec.specials.boundary)


def next_token(rows: Rows, spec: Spec) -> tuple[Array, Array]:
  """Targets and weights [B, L] of predicting each next token of a segment.

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


def left_to_right_score(apply: Apply, rows: Rows, spec: Spec) -> Array:
  """Exact log-likelihood by the chain rule: log p(x_i | x_<i), [B, L].

  The first token of a text without a boundary before it has the score 0:
  nothing predicts it.
  """
  target_BxL, _ = next_token(rows, spec)
  inputs = layout.stream(rows.tokens_BxL, rows.segment_BxL, "causal")
  hidden_BxLxD = apply.hidden(inputs)
  score_BxL = -apply.nll(hidden_BxLxD, target_BxL)
  score_BxL = jnp.roll(score_BxL, 1, axis=1)
  scored_BxL = eligible(rows, spec) & ~layout.starts(rows.segment_BxL)
  return jnp.where(scored_BxL, score_BxL, 0.0)


def whole_text_score(apply: Apply, rows: Rows, spec: Spec, first: int) -> Array:
  """Exact log-likelihood of the texts after a context of one token: [B, L].

  The context is `first`, in the place of the boundary token where there is
  one; the text is the answer of `layout.pair`.
  """
  length = rows.tokens_BxL.shape[1]
  starts_BxL = layout.starts(rows.segment_BxL)
  context = Part(
    jnp.full_like(rows.tokens_BxL, first),
    jnp.where(starts_BxL, rows.segment_BxL, 0),
  )
  text_BxL = (rows.segment_BxL > 0) & ~opening(rows, spec)
  index, there = layout.compact(text_BxL, length)
  answer = Part(
    jnp.where(there, layout.take(rows.tokens_BxL, index), spec.specials.pad),
    jnp.where(there, layout.take(rows.segment_BxL, index), 0),
  )
  problem = layout.pair(context, answer, spec, length=length + 1)
  hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
  score_BxP = -apply.nll(
    hidden_BxTxD, problem.targets_BxP, problem.positions_BxP
  )
  batch = jnp.arange(rows.tokens_BxL.shape[0])[:, None]
  index = jnp.where(there, index, length)
  score_BxL = jnp.zeros(rows.tokens_BxL.shape, jnp.float32)
  score_BxL = score_BxL.at[batch, index].set(score_BxP, mode="drop")
  return jnp.where(eligible(rows, spec), score_BxL, 0.0)


def one_at_a_time(score_one, rows: Rows, spec: Spec) -> Array:
  """Scores each position by a pass of its own: float32 [B, L].

  Positions at which no row has a token to be scored take none, so that an
  answer is scored in as many passes as it has tokens where the answers of all
  rows stand at the same positions.

  Args:
    score_one: takes a position (int32 scalar), returns float32 [B].
  """
  batch, length = rows.tokens_BxL.shape
  scored_BxL = eligible(rows, spec)

  def score(i):
    return jax.lax.cond(
      jnp.any(scored_BxL[:, i]),
      score_one,
      lambda _: jnp.zeros(batch, jnp.float32),
      i,
    )

  score_LxB = jax.lax.map(score, jnp.arange(length))
  return jnp.where(scored_BxL, score_LxB.T, 0.0)


def infilling_score(
  apply: Apply, rows: Rows, spec: Spec, hole: int, answer_of
) -> Array:
  """Infilling pseudo-likelihood: log p(x_i | the text with a hole at i).

  Args:
    apply, rows, spec: the network, and one text a row.
    hole: the token that stands for x_i in the context.
    answer_of: takes i; returns the answer as a Part [B, A], and the index of
      x_i in it, int32 [B, 1] or a number.
  """
  segment_BxL = jnp.where(opening(rows, spec), 0, rows.segment_BxL)

  def score_one(i):
    at_i = jnp.arange(rows.tokens_BxL.shape[1])[None] == i
    context = Part(jnp.where(at_i, hole, rows.tokens_BxL), segment_BxL)
    answer, index = answer_of(i)
    problem = layout.pair(context, answer, spec)
    hidden_BxTxD = apply.hidden(problem.inputs, problem.source)
    index_Bx1 = jnp.zeros_like(rows.tokens_BxL[:, :1]) + index
    if problem.positions_BxP is not None:
      index_Bx1 = layout.take(problem.positions_BxP, index_Bx1)
    target_Bx1 = rows.tokens_BxL[:, i][:, None]
    return -apply.nll(hidden_BxTxD, target_Bx1, index_Bx1)[:, 0]

  return one_at_a_time(score_one, rows, spec)


def require_pool(pool: str, spec: Spec, flag: str) -> None:
  """Raises UsageError where the first state of a text has not seen it."""
  one_way = spec.architecture in ("causal_decoder", "encoder_decoder")
  if pool == "first" and one_way:
    raise UsageError(
      f"{flag}=first: the first state of a {spec.architecture} has seen one"
      " token; valid are mean and last"
    )


def unit_interval(name: str, value: float, *, zero: bool = False) -> None:
  """Raises UsageError unless 0 < value < 1 (0 allowed where `zero`)."""
  if not (0 < value < 1 or (zero and value == 0)):
    bound = "at least 0" if zero else "above 0"
    raise UsageError(f"--objective.{name}={value}: must be {bound} and below 1")
