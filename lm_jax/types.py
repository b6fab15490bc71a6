"""What flows between the parts: rows -> problem -> losses.

Shape suffixes, everywhere in lm_jax: B batch, L row length, T stream length,
S source length, P predicted positions, D width, H heads, K head width,
F feed-forward width, V vocabulary.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Protocol

import jax

from lm_jax.errors import UsageError as UsageError  # part of this interface

Array = Any  # numpy on the host, jax on a device; both index and broadcast

Architecture = Literal[
  "encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"
]
ARCHITECTURES: tuple[Architecture, ...] = (
  "encoder",
  "causal_decoder",
  "prefix_decoder",
  "encoder_decoder",
)

# The axes of the device mesh: rows are split over data and fsdp, parameters
# over fsdp and tensor.
MESH_AXES = ("data", "fsdp", "tensor")

Mask = Literal["full", "causal", "ranked"]

# Values of Rows.part_BxL.
PADDING, CONTEXT, ANSWER = -1, 0, 1

# The rank of a key that nothing may attend to (a query token of XLNet).
NEVER = 2**30


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
  """What the data layer yields: linguistic facts as int32 arrays [B, L].

  Every segment (a document, or a piece of one) starts with the boundary token.

  tokens_BxL: token ids; padding holds `Specials.pad`.
  segment_BxL: 1, 2, ... for the segments of a row; 0 for padding.
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


@_pytree("mask")
@dataclasses.dataclass(frozen=True)
class Stream:
  """What a stack reads: int32 arrays [B, T].

  Token i attends to token j iff they share a segment and
  key_rank[j] <= query_rank[i] (lm_jax/visibility.py). `mask` is static and
  names the kernel that suffices: "full" (ranks are all 0), "causal" (ranks
  grow with the index), or "ranked" (anything).
  """

  tokens_BxT: Array
  position_BxT: Array
  segment_BxT: Array
  query_rank_BxT: Array
  key_rank_BxT: Array
  type_BxT: Array
  mask: Mask = "full"


@_pytree()
@dataclasses.dataclass(frozen=True)
class Problem:
  """What an objective makes of rows.

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
  """Ids of the special tokens: the same in every tokenizer of ours."""

  pad: int = 0
  unknown: int = 1
  boundary: int = 2  # starts every segment: BERT's [CLS], GPT's <|endoftext|>
  end: int = 3  # ends a document and an answer
  separator: int = 4
  mask: int = 5
  regular: int = 6  # UL2's mode tokens [R], [S], [X]
  sequential: int = 7
  extreme: int = 8
  first_sentinel: int = 9
  sentinels: int = 100

  @property
  def count(self) -> int:
    """Ids below this one are special, the others are text."""
    return self.first_sentinel + self.sentinels


@dataclasses.dataclass(frozen=True)
class Spec:
  """What an objective may know of the model and the data; hashable."""

  architecture: Architecture
  length: int
  vocabulary: int
  specials: Specials = Specials()


@dataclasses.dataclass(frozen=True)
class Head:
  """An output besides the vocabulary.

  kind: "token" (a logit vector per token: dense, activation, dense) or
    "pooled" (per row: dense and tanh on the first token, then dense).
  size: number of logits.
  """

  kind: Literal["token", "pooled"]
  size: int


@dataclasses.dataclass(frozen=True)
class Trunk:
  """The options of a stack of transformer layers; its fields are flags."""

  layers: int = 4
  width: int = 128
  heads: int = 2
  feedforward: int = 512
  vocabulary: int = 4096
  max_positions: int = 512
  architecture: Architecture = "causal_decoder"
  # 0 in the next four means "as the plain transformer has it".
  kv_heads: int = 0
  head_width: int = 0
  embedding_width: int = 0
  encoder_layers: int = 0
  norm: Literal["layernorm", "rmsnorm"] = "layernorm"
  norm_placement: Literal["pre", "post"] = "pre"
  norm_epsilon: float = 1e-5
  embedding_norm: bool = False
  positions: Literal[
    "learned", "sinusoidal", "rotary", "relative", "alibi", "none"
  ] = "rotary"
  relative_buckets: int = 32
  relative_distance: int = 128
  rotary_base: float = 10000.0
  activation: Literal[
    "gelu", "gelu_tanh", "relu", "silu", "swiglu", "geglu"
  ] = "gelu_tanh"
  bias: bool = False
  tied: bool = True
  output_bias: bool = False
  output_transform: bool = False  # BERT's dense, activation and norm
  token_types: int = 0
  # Width of the local attention window, layer by layer, repeated; 0 is dense:
  # (256, 0) alternates as in GPT-3.
  windows: tuple[int, ...] = (0,)
  dropout: float = 0.0
  attention_dropout: float = 0.0
  initializer_range: float = 0.02
  remat: Literal["none", "dots", "full"] = "none"
  scan: bool = False
  # "auto" takes the fastest kernel that computes the same; "plain" is the
  # square reference that model FLOPs are defined by.
  attention: Literal["auto", "plain", "blocked"] = "auto"
  dtype: Literal["float32", "bfloat16"] = "float32"
  # The stack whose embedding tables this one uses.
  embeddings: str = "main"


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
