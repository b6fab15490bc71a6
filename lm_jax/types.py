"""The data that flows between the parts: rows -> problem -> losses.

Shape suffixes, everywhere in lm_jax: B batch, L row length, T stream length,
S source length, P predicted positions, D width, H heads, K head width,
F feed-forward width, V vocabulary.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Protocol

import jax

# Parts of this interface that are defined elsewhere.
from lm_jax.support.errors import UsageError as UsageError
from lm_jax.trunk import ARCHITECTURES as ARCHITECTURES
from lm_jax.trunk import MOST_LAYERS as MOST_LAYERS
from lm_jax.trunk import Architecture as Architecture
from lm_jax.trunk import Head as Head
from lm_jax.trunk import Trunk as Trunk

Array = Any  # numpy on the host, jax on a device; both index and broadcast


# The axes of the device mesh: rows are split over data and fsdp, parameters
# over fsdp and tensor.
SEED_KINDS = ("parameters", "order", "corruption")  # of a run (--seed.order)
MESH_AXES = ("data", "fsdp", "tensor")

Mask = Literal["full", "causal", "ranked"]

# Values of Rows.part_BxL.
PADDING, CONTEXT, ANSWER = -1, 0, 1


# The id of a special token that a tokenizer lacks.
ABSENT = -1

# The rank of a key that nothing may attend to (a query token of XLNet).
NEVER = 2**30

# The function of lm_jax/models/products.py whose products of matrices are sums,
# and no model FLOPs.
SUMS = "_weighted_sums"


def _pytree(*static: str):
  """Registers a frozen dataclass as a pytree; `static` fields are not data."""

  def register(cls):
    names = [field.name for field in dataclasses.fields(cls)]
    data = [name for name in names if name not in static]
    return jax.tree_util.register_dataclass(cls, data, list(static))

  return register


@_pytree()
@dataclasses.dataclass(frozen=True)
class Rows:
  """Rows of the data layer: linguistic facts as int32 arrays [B, L].

  Every segment (a document, or a piece of one) starts with the boundary token.

  tokens_BxL: token ids; padding holds `Specials.pad`.
  segment_BxL: numbers of the segments of a row, from 1 to L, 0 for padding; 1,
    2, ... where there are several. Of rows that hold a piece of one document
    each, those with different numbers are of different documents.
  word_BxL: index of the token's word within the row, from 0; special tokens
    are words of their own.
  sentence_BxL: index of the token's sentence within the row, from 0.
  part_BxL: PADDING, CONTEXT or ANSWER; all ANSWER in pretraining.
  label: supervised labels, [B] or [B, L]; None in pretraining.
  """

  tokens_BxL: Array
  segment_BxL: Array
  word_BxL: Array
  sentence_BxL: Array
  part_BxL: Array
  label: Array | None = None


@_pytree("mask", "longest")
@dataclasses.dataclass(frozen=True)
class Stream:
  """Tokens that a stack reads: int32 arrays [B, T].

  Token i attends to token j iff they share a segment and
  key_rank[j] <= query_rank[i] (lm_jax/visibility.py). `mask` is static and
  names the kernel that suffices: "full" (ranks are all 0), "causal" (ranks
  grow with the index), or "ranked" (anything). Where type_BxT is None, no
  token types were told: they are 0 for a trunk that has them. `longest` is
  static: the most tokens of a segment, whose positions start from 0; 0: all T.
  """

  tokens_BxT: Array
  position_BxT: Array
  segment_BxT: Array
  query_rank_BxT: Array
  key_rank_BxT: Array
  type_BxT: Array | None = None
  mask: Mask = "full"
  longest: int = 0

  @property
  def positions(self) -> int:
    """The number of positions that its tokens may have."""
    return self.longest or self.tokens_BxT.shape[1]


@_pytree()
@dataclasses.dataclass(frozen=True)
class Problem:
  """The problem that an objective makes of rows.

  inputs: the stream that the main stack reads.
  source: the encoder's stream (encoder_decoder only).
  targets_BxP: what to predict, at positions_BxP of the stream.
  weights: per term of the loss, [B, P] or [B]; 0 where nothing is predicted.
  positions_BxP: None means every position of the stream (P = T).
  extra: what an objective's own loss needs besides.
  """

  inputs: Stream
  source: Stream | None
  targets_BxP: Array
  weights: dict[str, Array]
  positions_BxP: Array | None = None
  extra: dict[str, Array] = dataclasses.field(default_factory=dict)


@_pytree()
@dataclasses.dataclass(frozen=True)
class Term:
  """One summand of the loss: scale * sum(losses * weight) / sum(weight).

  losses: float32, of the shape of Problem.weights under the term's name.
  metrics: further values of that shape, averaged with the same weights.
  """

  losses: Array
  scale: Array | float = 1.0
  metrics: dict[str, Array] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Specials:
  """Ids of the special tokens; the defaults are those of our tokenizers.

  ABSENT stands for a token that a tokenizer of somebody else lacks. Two names
  may share an id (GPT-2's boundary ends texts, too).

  pad: holds the place of what is not there; never told by its id.
  boundary: starts every segment: BERT's [CLS], GPT's <|endoftext|>.
  end: ends a document and an answer.
  start: what the decoder of an encoder_decoder reads first.
  regular, sequential, extreme: UL2's mode tokens [R], [S], [X].
  first_sentinel, sentinels, sentinel_step: T5's sentinel i is
    first_sentinel + sentinel_step * i.
  before, after: what stands around a text that a model is to read.
  others: further ids that are no text.
  """

  pad: int = 0
  unknown: int = 1
  boundary: int = 2
  end: int = 3
  separator: int = 4
  mask: int = 5
  regular: int = 6
  sequential: int = 7
  extreme: int = 8
  first_sentinel: int = 9
  sentinels: int = 100
  sentinel_step: int = 1
  start: int = 2
  before: tuple[int, ...] = (2,)
  after: tuple[int, ...] = ()
  others: tuple[int, ...] = ()

  @property
  def ids(self) -> tuple[int, ...]:
    """All of them, ascending."""
    first, step = self.first_sentinel, self.sentinel_step
    known = {
      *(self.pad, self.unknown, self.boundary, self.end, self.separator),
      *(self.mask, self.regular, self.sequential, self.extreme, self.start),
      *(first + step * i for i in range(self.sentinels)),
      *(*self.before, *self.after, *self.others),
    }
    return tuple(sorted(known - {ABSENT}))


@dataclasses.dataclass(frozen=True)
class Spec:
  """Facts of the model and the data that an objective may know; hashable."""

  architecture: Architecture
  length: int
  vocabulary: int
  specials: Specials = Specials()


@dataclasses.dataclass(frozen=True)
class Likelihood:
  """The way to have the likelihood of a text, for pages.

  kind: "exact", or "bound": its -log p is an estimated upper bound.
  estimator: its name.
  draws: independent estimates of a bound, a pass of the network each, whose
    spread gives its standard error.
  """

  kind: Literal["exact", "bound"]
  estimator: str
  draws: int = 1


class Apply(Protocol):
  """The network with parameters and rngs bound, as a loss sees it."""

  def hidden(
    self, inputs: Stream, source: Stream | None = None, stack: str = "main"
  ) -> Array:
    """Last-layer states of `inputs`, [B, T, D], in the compute dtype."""
    ...

  def head(
    self,
    name: str,
    hidden_BxTxD: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    """float32 logits of a head; "vocabulary" is one that always exists."""
    ...

  def nll(
    self,
    hidden_BxTxD: Array,
    targets_BxP: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    """-log p(target), float32 [B, P], without [B, T, V] in memory."""
    ...
