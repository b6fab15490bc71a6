"""The options of a stack of transformer layers, and of its heads."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

Architecture = Literal[
  "encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"
]


ARCHITECTURES: tuple[Architecture, ...] = (
  "encoder",
  "causal_decoder",
  "prefix_decoder",
  "encoder_decoder",
)


# Above any stack of layers; it keeps a size in a file that is nonsense from
# being written out, layer by layer.
MOST_LAYERS = 10_000


@dataclasses.dataclass(frozen=True)
class Head:
  """An output besides the vocabulary: logits of a token or of a whole text.

  size: number of logits; 0 gives what comes before them (a bare pooler).
  pool: what is read: "none" (each token), or of each row its "first" token,
    the "last" one, the "mean" of all, or the last of the tokens that "end".
  transform: activation after a dense layer of the trunk's width, a key of
    lm_jax.models.layers.ACTIVATIONS; "" has no such layer, "trunk" takes the
    trunk's own activation.
  norm: a norm after that.
  bias: of the logits.
  transform_bias: of the dense layer.
  dropout: of what the logits are computed from.
  """

  size: int
  pool: Literal["none", "first", "last", "mean", "end"] = "none"
  transform: Literal[
    "", "trunk", "gelu", "gelu_tanh", "relu", "silu", "tanh"
  ] = ""
  norm: bool = False
  bias: bool = True
  transform_bias: bool = True
  dropout: float = 0.0


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
  # 0 in the next six means "as the plain transformer has it".
  kv_heads: int = 0
  head_width: int = 0
  embedding_width: int = 0
  encoder_layers: int = 0
  encoder_heads: int = 0
  encoder_feedforward: int = 0
  # Which set of parameters each layer uses, (0, 0, 0, 0) as ALBERT; () gives
  # each its own.
  sharing: tuple[int, ...] = ()
  norm: Literal["layernorm", "rmsnorm"] = "layernorm"
  norm_placement: Literal["pre", "post"] = "pre"
  norm_epsilon: float = 1e-5
  norm_bias: bool = True
  # Is there a norm before the first layer's attention (pre)? ModernBERT has
  # the embeddings' instead.
  first_norm: bool = True
  embedding_norm: bool = False
  # Are token embeddings multiplied by sqrt(width)? (M2M-100)
  embedding_scaling: bool = False
  # Has the encoder position tables and an embedding norm of its own? (BART)
  encoder_embeddings: bool = False
  positions: Literal[
    "learned",
    "sinusoidal",
    "fairseq",
    "rotary",
    "relative",
    "xlnet",
    "alibi",
    "none",
  ] = "rotary"
  # Rows of the position table before the first position's: 2 in RoBERTa.
  position_offset: int = 0
  relative_buckets: int = 32
  relative_distance: int = 128
  rotary_base: float = 10000.0
  # The base in layers of local attention; 0: the same.
  local_rotary_base: float = 0.0
  # Longer contexts by scaled frequencies: (factor,) divides all of them, and
  # (factor, low, high, length) as LLaMA 3.1 those of long wavelength.
  rotary_scaling: tuple[float, ...] = ()
  # Are attention scores divided by sqrt(head width)? Not in T5.
  attention_scaling: bool = True
  # And those of layer i by i, counted from 1? (GPT-2s of Stanford's Mistral)
  depth_scaling: bool = False
  activation: Literal[
    "gelu",
    "gelu_tanh",
    "relu",
    "silu",
    "tanh",
    "swiglu",
    "geglu",
    "geglu_exact",
    "reglu",
  ] = "gelu_tanh"
  bias: bool = False
  # Projections that have a bias where the others have none, or none where
  # they have: of "qkv", "out" (of attention), "up" (and gate), "down".
  bias_except: tuple[Literal["qkv", "out", "up", "down"], ...] = ()
  tied: bool = True
  # Are states divided by sqrt(width) before the vocabulary? (T5)
  output_scaling: bool = False
  output_bias: bool = False
  output_transform: bool = False  # BERT's dense, activation and norm
  output_transform_bias: bool = True
  # Of the transform; "": the trunk's.
  output_activation: Literal[
    "", "gelu", "gelu_tanh", "relu", "silu", "tanh"
  ] = ""
  token_types: int = 0
  # Are token types looked up in the table of tokens, where told? (GPT-2)
  types_are_tokens: bool = False
  # Do query tokens (XLNet) start from a vector of their own?
  query_embedding: bool = False
  # Width of the local attention window, layer by layer, repeated; 0 is dense:
  # (256, 0) alternates as in GPT-3.
  windows: tuple[int, ...] = (0,)
  dropout: float = 0.0
  attention_dropout: float = 0.0
  initializer_range: float = 0.02
  embedding_range: float = 0.0  # of the embeddings; 0: initializer_range
  remat: Literal["none", "dots", "full"] = "none"
  scan: bool = False
  # "auto" takes the fastest kernel that computes the same, and so does another
  # name where its kernel doesn't apply; "plain" is the square reference that
  # model FLOPs are defined by.
  attention: Literal["auto", "plain", "blocked", "sparse"] = "auto"
  dtype: Literal["float32", "bfloat16"] = "float32"
  # The stack whose embedding tables this one uses.
  embeddings: str = "main"
  # What is trained in the place of the stack's own parameters
  # (lm_jax.adaptation.base.Adaptation); a Network sets it.
  adaptation: Any = dataclasses.field(default=None, metadata={"flag": False})
