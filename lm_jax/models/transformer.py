"""Implements the transformer: embeddings, blocks, encoder and decoder."""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from lm_jax.models import positions, products
from lm_jax.models.cache import Cache, LayerCache
from lm_jax.models.dense import dense, parameter
from lm_jax.models.layers import Attention, FeedForward
from lm_jax.models.norm import Norm
from lm_jax.models.relative_attention import RelativeAttention
from lm_jax.support.errors import UsageError
from lm_jax.types import NEVER, Array, Stream, Trunk

REMAT = {
  "dots": jax.checkpoint_policies.save_from_both_policies(
    jax.checkpoint_policies.checkpoint_dots_with_no_batch_dims,
    jax.checkpoint_policies.save_only_these_names(products.NAME),
  ),
  "full": None,
}


class Embedder(nn.Module):
  """Token, position and type embeddings; several stacks may share them."""

  trunk: Trunk

  def setup(self):
    trunk = self.trunk
    width = trunk.embedding_width or trunk.width
    spread = trunk.embedding_range or trunk.initializer_range
    initializer = nn.initializers.normal(spread)

    def table(name, rows, axis):
      return parameter(self, name, initializer, (rows, width), (axis, "embed"))

    self.embedding_VxE = table("embedding", trunk.vocabulary, "vocabulary")
    rows = trunk.max_positions + trunk.position_offset
    own = trunk.encoder_embeddings
    if trunk.positions == "learned":
      self.position_PxE = table("position_embedding", rows, None)
      if own:
        self.encoder_position_PxE = table(
          "encoder_position_embedding", rows, None
        )
    if trunk.token_types:
      self.type_KxE = table("type_embedding", trunk.token_types, None)
    if trunk.query_embedding:
      self.query_E = parameter(
        self, "query_embedding", initializer, (width,), ("embed",)
      )
    self.prompt_PxE = None
    if trunk.adaptation is not None:
      self.prompt_PxE = trunk.adaptation.prompt(self, width, initializer)
    if trunk.embedding_norm:
      self.norm = Norm(trunk)
      if own:
        self.encoder_norm = Norm(trunk)

  def __call__(self, stream: Stream, encoder: bool = False) -> Array:
    """Sums the embeddings, flat: [B * T, E] in the compute dtype.

    Args:
      stream: [B, T]; ids above the vocabulary are those of a soft prompt.
      encoder: whether the encoder of an encoder_decoder reads it.
    """
    trunk, dtype = self.trunk, self.trunk.dtype
    own = encoder and trunk.encoder_embeddings
    table_VxE = self.embedding_VxE.astype(dtype)
    x_BxTxE = table_VxE[stream.tokens_BxT]
    if trunk.query_embedding:
      is_query_BxTx1 = (stream.key_rank_BxT == NEVER)[:, :, None]
      query_1x1xE = self.query_E.astype(dtype)[None, None]
      x_BxTxE = jnp.where(is_query_BxTx1, query_1x1xE, x_BxTxE)
    if trunk.embedding_scaling:
      x_BxTxE = x_BxTxE * jnp.asarray(trunk.width**0.5, dtype)
    if self.prompt_PxE is not None:
      number_BxT = stream.tokens_BxT - trunk.vocabulary
      soft_BxTxE = self.prompt_PxE.astype(dtype)[jnp.maximum(number_BxT, 0)]
      x_BxTxE = jnp.where(number_BxT[:, :, None] >= 0, soft_BxTxE, x_BxTxE)
    position_BxT = stream.position_BxT + trunk.position_offset
    if trunk.positions == "learned":
      table = self.encoder_position_PxE if own else self.position_PxE
      x_BxTxE = x_BxTxE + table.astype(dtype)[position_BxT]
    elif trunk.positions in ("sinusoidal", "fairseq"):
      fairseq = trunk.positions == "fairseq"
      wave = positions.sinusoid(position_BxT, x_BxTxE.shape[-1], fairseq)
      x_BxTxE = x_BxTxE + wave.astype(dtype)
    if trunk.token_types:
      type_BxT = stream.type_BxT
      if type_BxT is None:
        type_BxT = jnp.zeros_like(stream.tokens_BxT)
      x_BxTxE = x_BxTxE + self.type_KxE.astype(dtype)[type_BxT]
    elif trunk.types_are_tokens and stream.type_BxT is not None:
      x_BxTxE = x_BxTxE + table_VxE[stream.type_BxT]
    x_NxE = x_BxTxE.reshape(-1, x_BxTxE.shape[-1])
    if not trunk.embedding_norm:
      return x_NxE
    return self.encoder_norm(x_NxE) if own else self.norm(x_NxE)


class Block(nn.Module):
  """Self-attention, cross-attention to a source if any, and feed-forward.

  skip_norm: whether to omit the norm before its attention.
  depth: its number, from 1.
  """

  trunk: Trunk
  window: int
  deterministic: bool
  skip_norm: bool = False
  depth: int = 1

  @nn.compact
  def __call__(
    self,
    x_NxD,
    stream,
    bias,
    memory_MxD,
    source,
    shared: Any = None,
    past: Array | tuple[LayerCache, LayerCache | None] | None = None,
    cache: Cache | None = None,
  ):
    """Computes states [N, D].

    shared: what all layers share of the trunk's adaptation.
    past: earlier tokens in this layer: the memory [B, M, D] of XLNet's
      attention; or, with a cache, the cached keys and values of the stream and
      of the source.
    """
    trunk, deterministic = self.trunk, self.deterministic

    def residual(x_NxD, name, layer):
      before = trunk.norm_placement == "pre"
      bare = self.skip_norm and name == "attention"
      norm = Norm(trunk, name=f"{name}_norm") if not bare else lambda x: x
      y_NxD = layer(norm(x_NxD) if before else x_NxD)
      if trunk.dropout and not deterministic:
        y_NxD = nn.Dropout(trunk.dropout, deterministic=False)(y_NxD)
      if trunk.adaptation is not None:
        y_NxD = trunk.adaptation.added(trunk, name, y_NxD)
      return x_NxD + y_NxD if before else norm(x_NxD + y_NxD)

    def attention(x_NxD):
      if trunk.positions == "xlnet":
        relative = RelativeAttention(trunk, self.window, name="attention")
        return relative(x_NxD, stream, past, deterministic)
      plain = Attention(trunk, self.window, self.depth, name="attention")
      return plain(
        x_NxD,
        stream,
        bias,
        deterministic=deterministic,
        kept=kept,
        cache=cache,
        shared=shared,
      )

    kept = kept_source = None
    if cache is not None and isinstance(past, tuple):
      kept, kept_source = past
    x_NxD = residual(x_NxD, "attention", attention)
    if source is not None:
      cross = Attention(trunk, depth=self.depth, name="cross_attention")
      x_NxD = residual(
        x_NxD,
        "cross_attention",
        lambda x: cross(
          x,
          stream,
          None,
          memory_MxD,
          source,
          deterministic=deterministic,
          kept=kept_source,
          cache=cache,
        ),
      )
    return residual(
      x_NxD, "feedforward", FeedForward(trunk, name="feedforward")
    )


class Period(nn.Module):
  """One block for each of the windows: the body of a scan."""

  trunk: Trunk
  deterministic: bool

  @nn.compact
  def __call__(self, x_NxD, *context):
    for i, window in enumerate(self.trunk.windows):
      block = Block(self.trunk, window, self.deterministic, name=f"block_{i}")
      x_NxD = block(x_NxD, *context)
    return x_NxD, None


class Blocks(nn.Module):
  """A stack of blocks and its final norm: flat tokens in, flat tokens out."""

  trunk: Trunk
  count: int

  @nn.compact
  def __call__(
    self,
    x_NxE,
    stream,
    memory_MxD=None,
    source=None,
    deterministic=True,
    past=(),
  ):
    trunk = self.trunk
    cache = past if isinstance(past, Cache) else None
    if cache is not None:
      if trunk.positions == "xlnet" or trunk.scan:
        raise ValueError("no cache for XLNet's attention or a scan")
      source = cache.source
      cross = cache.cross or (None,) * self.count
      past = tuple(zip(cache.layers, cross, strict=True))
    elif past and (
      trunk.positions != "xlnet" or trunk.scan or len(past) != self.count
    ):
      raise ValueError(
        f"{len(past)} memories for {self.count} layers; only a trunk with "
        'positions="xlnet" and without a scan takes them'
      )
    x_NxD = x_NxE
    if x_NxE.shape[-1] != trunk.width:
      x_NxD = dense(
        trunk, trunk.width, (None, "embed"), "embedding_projection"
      )(x_NxE)
    if trunk.dropout and not deterministic:
      x_NxD = nn.Dropout(trunk.dropout, deterministic=False)(x_NxD)
    bias = None
    keys = stream if cache is None else cache.slots
    if trunk.positions == "relative":
      bias = positions.RelativeBias(trunk, name="relative")(stream, keys)
    elif trunk.positions == "alibi":
      bias = positions.alibi_bias(stream, keys, trunk.heads)
    shared = None
    if trunk.adaptation is not None:
      shared = trunk.adaptation.shared(trunk)
    context = (stream, bias, memory_MxD, source, shared)
    body: Any = Period if trunk.scan else Block
    if trunk.remat != "none":
      body = nn.remat(
        body, policy=REMAT[trunk.remat], prevent_cse=not trunk.scan
      )
    if trunk.scan:
      if self.count % len(trunk.windows):
        shown = ",".join(map(str, trunk.windows))
        raise UsageError(
          f"--trunk.windows={shown}: with --trunk.scan their number must "
          f"divide the {self.count} layers"
        )
      scanned = nn.scan(
        body,
        variable_axes={"params": 0},
        split_rngs={"params": True, "dropout": True},
        in_axes=nn.broadcast,
        length=self.count // len(trunk.windows),
        metadata_params={nn.PARTITION_NAME: "layers"},
      )
      x_NxD, _ = scanned(trunk, deterministic, name="layers")(x_NxD, *context)
    else:
      made: dict[int, Any] = {}
      for i in range(self.count):
        number = trunk.sharing[i] if trunk.sharing else i
        if number not in made:
          window = trunk.windows[i % len(trunk.windows)]
          pre = trunk.norm_placement == "pre"
          bare = i == 0 and pre and not trunk.first_norm
          made[number] = body(
            trunk, window, deterministic, bare, i + 1, name=f"layer_{number}"
          )
        own = (past[i], cache) if past else ()
        x_NxD = made[number](x_NxD, *context, *own)
    if trunk.norm_placement == "pre":
      x_NxD = Norm(trunk, name="final_norm")(x_NxD)
    return x_NxD


class Stack(nn.Module):
  """A decoder, an encoder or both; Apply.hidden runs it."""

  trunk: Trunk

  def setup(self):
    trunk = self.trunk
    self.blocks = Blocks(trunk, trunk.layers)
    if trunk.architecture == "encoder_decoder":
      encoder = encoder_of(trunk)
      self.encoder = Blocks(encoder, encoder.layers)

  def __call__(
    self,
    embedder: Embedder,
    inputs: Stream,
    source: Stream | None,
    deterministic: bool,
    past: tuple[Array, ...] | Cache = (),
  ) -> Array:
    """Computes last-layer states, [B, T, D]."""
    memory_MxD = None
    if source is not None:
      memory_MxD = self.encoder(
        embedder(source, encoder=True), source, deterministic=deterministic
      )
    x_NxD = self.blocks(
      embedder(inputs), inputs, memory_MxD, source, deterministic, past
    )
    return x_NxD.reshape(*inputs.tokens_BxT.shape, self.trunk.width)


def encoder_of(trunk: Trunk) -> Trunk:
  """Returns the options of the encoder of an encoder_decoder."""
  return dataclasses.replace(
    trunk,
    layers=trunk.encoder_layers or trunk.layers,
    heads=trunk.encoder_heads or trunk.heads,
    feedforward=trunk.encoder_feedforward or trunk.feedforward,
  )
