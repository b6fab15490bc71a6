"""The one transformer: embeddings, a stack of blocks, encoder and decoder."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax

from lm_jax.models import layers
from lm_jax.models.layers import Attention, FeedForward, Norm, dense, parameter
from lm_jax.types import Array, Stream, Trunk, UsageError

REMAT = {
  "dots": jax.checkpoint_policies.checkpoint_dots_with_no_batch_dims,
  "full": None,
}


class Embedder(nn.Module):
  """Token, position and type embeddings, which several stacks may share."""

  trunk: Trunk

  def setup(self):
    trunk = self.trunk
    width = trunk.embedding_width or trunk.width
    initializer = nn.initializers.normal(trunk.initializer_range)

    def table(name, rows, axis):
      return parameter(self, name, initializer, (rows, width), (axis, "embed"))

    self.embedding_VxE = table("embedding", trunk.vocabulary, "vocabulary")
    if trunk.positions == "learned":
      self.position_PxE = table("position_embedding", trunk.max_positions, None)
    if trunk.token_types:
      self.type_KxE = table("type_embedding", trunk.token_types, None)
    if trunk.embedding_norm:
      self.norm = Norm(trunk)

  def __call__(self, stream: Stream) -> Array:
    """The sum of the embeddings, flat: [B * T, E] in the compute dtype."""
    trunk = self.trunk
    x_BxTxE = self.embedding_VxE.astype(trunk.dtype)[stream.tokens_BxT]
    if trunk.positions == "learned":
      table = self.position_PxE.astype(trunk.dtype)
      x_BxTxE = x_BxTxE + table[stream.position_BxT]
    elif trunk.positions == "sinusoidal":
      wave = layers.sinusoid(stream.position_BxT, x_BxTxE.shape[-1])
      x_BxTxE = x_BxTxE + wave.astype(trunk.dtype)
    if trunk.token_types:
      x_BxTxE = x_BxTxE + self.type_KxE.astype(trunk.dtype)[stream.type_BxT]
    x_NxE = x_BxTxE.reshape(-1, x_BxTxE.shape[-1])
    return self.norm(x_NxE) if trunk.embedding_norm else x_NxE


class Block(nn.Module):
  """Self-attention, cross-attention where there is a source, feed-forward."""

  trunk: Trunk
  window: int
  deterministic: bool

  @nn.compact
  def __call__(self, x_NxD, stream, bias, memory_MxD, source):
    trunk, deterministic = self.trunk, self.deterministic

    def residual(x_NxD, name, layer):
      before = trunk.norm_placement == "pre"
      norm = Norm(trunk, name=f"{name}_norm")
      y_NxD = layer(norm(x_NxD) if before else x_NxD)
      if trunk.dropout and not deterministic:
        y_NxD = nn.Dropout(trunk.dropout, deterministic=False)(y_NxD)
      return x_NxD + y_NxD if before else norm(x_NxD + y_NxD)

    attention = Attention(trunk, self.window, name="attention")
    x_NxD = residual(
      x_NxD,
      "attention",
      lambda x: attention(x, stream, bias, deterministic=deterministic),
    )
    if memory_MxD is not None:
      cross = Attention(trunk, name="cross_attention")
      x_NxD = residual(
        x_NxD,
        "cross_attention",
        lambda x: cross(
          x, stream, None, memory_MxD, source, deterministic=deterministic
        ),
      )
    return residual(
      x_NxD, "feedforward", FeedForward(trunk, name="feedforward")
    )


class Period(nn.Module):
  """As many blocks as the pattern of windows is long: the body of a scan."""

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
    self, x_NxE, stream, memory_MxD=None, source=None, deterministic=True
  ):
    trunk = self.trunk
    x_NxD = x_NxE
    if x_NxE.shape[-1] != trunk.width:
      x_NxD = dense(
        trunk, trunk.width, (None, "embed"), "embedding_projection"
      )(x_NxE)
    if trunk.dropout and not deterministic:
      x_NxD = nn.Dropout(trunk.dropout, deterministic=False)(x_NxD)
    bias = None
    if trunk.positions == "relative":
      bias = layers.RelativeBias(trunk, name="relative")(stream)
    elif trunk.positions == "alibi":
      bias = layers.alibi_bias(stream, trunk.heads)
    context = (stream, bias, memory_MxD, source)
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
      for i in range(self.count):
        window = trunk.windows[i % len(trunk.windows)]
        x_NxD = body(trunk, window, deterministic, name=f"layer_{i}")(
          x_NxD, *context
        )
    if trunk.norm_placement == "pre":
      x_NxD = Norm(trunk, name="final_norm")(x_NxD)
    return x_NxD


class Stack(nn.Module):
  """A decoder or encoder, or both: what Apply.hidden runs."""

  trunk: Trunk

  def setup(self):
    trunk = self.trunk
    self.blocks = Blocks(trunk, trunk.layers)
    if trunk.architecture == "encoder_decoder":
      self.encoder = Blocks(trunk, trunk.encoder_layers or trunk.layers)

  def __call__(
    self,
    embedder: Embedder,
    inputs: Stream,
    source: Stream | None,
    deterministic: bool,
  ) -> Array:
    """Last-layer states, [B, T, D]."""
    memory_MxD = None
    if source is not None:
      memory_MxD = self.encoder(
        embedder(source), source, deterministic=deterministic
      )
    x_NxD = self.blocks(
      embedder(inputs), inputs, memory_MxD, source, deterministic
    )
    return x_NxD.reshape(*inputs.tokens_BxT.shape, self.trunk.width)
