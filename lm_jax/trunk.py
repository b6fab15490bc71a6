"""The options of a stack of transformer layers, and of its heads."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, Literal

from lm_jax.support.options import option

Architecture = Literal[
  "encoder", "causal_decoder", "prefix_decoder", "encoder_decoder"
]

ARCHITECTURES: tuple[Architecture, ...] = typing.get_args(Architecture)


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
  """The options of a stack of transformer layers; its fields are flags.

  0 in a width, a number of heads or of layers often means "as the plain
  transformer has it"; the help line says so.
  """

  layers: int = option(
    4,
    "layers of the stack, of the decoder where there are two",
    least=1,
    most=MOST_LAYERS,
  )
  width: int = option(128, "width of the residual stream", least=1)
  heads: int = option(2, "attention heads", least=1)
  feedforward: int = option(
    512, "width of the hidden layer of the feed-forward network", least=1
  )
  vocabulary: int = option(
    4096, "rows of the embedding table; 0: as many as there are tokens", least=0
  )
  max_positions: int = option(
    512, "learned positions; 0: as many as the rows need", least=0
  )
  architecture: Architecture = "causal_decoder"
  kv_heads: int = option(
    0, "heads of keys and values; 0: as many as heads", least=0
  )
  head_width: int = option(0, "width of a head; 0: width / heads", least=0)
  embedding_width: int = option(
    0, "width of a factorized embedding; 0: width", least=0
  )
  encoder_layers: int = option(
    0,
    "layers of the encoder of encoder_decoder; 0: layers",
    least=0,
    most=MOST_LAYERS,
  )
  encoder_heads: int = option(
    0, "heads of the encoder of encoder_decoder; 0: heads", least=0
  )
  encoder_feedforward: int = option(
    0, "feed-forward width of that encoder; 0: feedforward", least=0
  )
  sharing: tuple[int, ...] = option(
    (),
    "set of parameters that each layer uses: 0,0,0,0 is ALBERT; empty: "
    "each its own",
  )
  norm: Literal["layernorm", "rmsnorm"] = option(
    "layernorm", "kind of normalization"
  )
  norm_placement: Literal["pre", "post"] = option(
    "pre", "before each part (pre) or after its residual sum (post)"
  )
  norm_epsilon: float = option(1e-5, "added to the variance", least=0)
  norm_bias: bool = option(True, "a bias in layer norms")
  first_norm: bool = option(
    True,
    "a norm before the first layer's attention (pre); ModernBERT has "
    "one of the embeddings instead",
  )
  embedding_norm: bool = option(False, "normalize the embeddings")
  embedding_scaling: bool = option(
    False, "multiply token embeddings by sqrt(width) (M2M-100)"
  )
  encoder_embeddings: bool = option(
    False, "position tables and an embedding norm of the encoder's own (BART)"
  )
  positions: Literal[
    "learned",
    "sinusoidal",
    "fairseq",
    "rotary",
    "relative",
    "xlnet",
    "alibi",
    "none",
  ] = option("rotary", "how positions enter")
  position_offset: int = option(
    0,
    "rows of the position table before the first position's: 2 in RoBERTa",
    least=0,
  )
  relative_buckets: int = option(
    32, "T5's relative positions: buckets", least=4
  )
  relative_distance: int = option(
    128, "T5's relative positions: where the last bucket starts", least=1
  )
  rotary_base: float = option(
    10000.0, "rotary positions: base of the wavelengths"
  )
  local_rotary_base: float = option(
    0.0, "rotary base in layers of local attention; 0: rotary_base", least=0
  )
  rotary_scaling: tuple[float, ...] = option(
    (),
    "longer contexts by scaled frequencies: empty; FACTOR divides all; "
    "FACTOR,LOW,HIGH,LENGTH those of long wavelength (LLaMA 3.1)",
  )
  attention_scaling: bool = option(
    True, "divide attention scores by sqrt(head width); not in T5"
  )
  depth_scaling: bool = option(
    False,
    "divide the scores of layer i by i, counted from 1 (Stanford's GPT-2s)",
  )
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
  ] = option(
    "gelu_tanh", "of the feed-forward network; those in -glu are gated"
  )
  bias: bool = option(False, "biases in the projections")
  bias_except: tuple[Literal["qkv", "out", "up", "down"], ...] = option(
    (),
    "projections that differ from bias: qkv, out (of attention), up "
    "(and gate), down",
  )
  tied: bool = option(True, "the output uses the embedding table")
  output_scaling: bool = option(
    False, "divide states by sqrt(width) before the vocabulary (T5)"
  )
  output_bias: bool = option(False, "a bias on the vocabulary logits")
  output_transform: bool = option(
    False, "BERT's dense layer, activation and norm before it"
  )
  output_transform_bias: bool = option(True, "a bias in that dense layer")
  output_activation: Literal[
    "", "gelu", "gelu_tanh", "relu", "silu", "tanh"
  ] = option("", "activation of that layer; empty: the trunk's")
  token_types: int = option(
    0, "kinds of token with an embedding of their own; 0: none", least=0
  )
  types_are_tokens: bool = option(
    False, "look up token types in the table of tokens (GPT-2)"
  )
  query_embedding: bool = option(
    False, "XLNet's query tokens start from a vector of their own"
  )
  windows: tuple[int, ...] = option(
    (0,),
    "local attention windows, layer by layer, repeated; 0: dense; 256,0 "
    "alternates as in GPT-3",
  )
  dropout: float = option(
    0.0,
    "rate on embeddings and on what is added to the residual stream",
    least=0,
    below=1,
  )
  attention_dropout: float = option(
    0.0, "rate on attention weights", least=0, below=1
  )
  initializer_range: float = option(
    0.02, "standard deviation of the initial parameters", least=0
  )
  embedding_range: float = option(
    0.0,
    "standard deviation of the initial embeddings; 0: initializer_range",
    least=0,
  )
  remat: Literal["none", "dots", "full"] = option(
    "none", "what the backward pass computes again to save memory"
  )
  scan: bool = option(False, "compile one layer and loop over it")
  attention: Literal["auto", "plain", "blocked", "sparse"] = option(
    "auto",
    "the kernel; auto: the fastest that computes the same; plain: the "
    "square reference that model FLOPs are defined by",
  )
  dtype: Literal["float32", "bfloat16"] = "float32"
  # The stack whose embedding tables this one uses.
  embeddings: str = "main"
  # What is trained instead of the stack's own parameters
  # (lm_jax.adaptation.base.Adaptation); a Network sets it.
  adaptation: Any = dataclasses.field(default=None, metadata={"flag": False})
