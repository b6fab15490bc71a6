"""Builds the network of an objective: its stacks and heads, for the loss.

A Network is an lm_jax.types.Apply. Run it with `flax.linen.apply` on a
function of it (`objective.loss`); `flax.linen.init` on the same function
makes exactly the parameters of the stacks and heads that it calls.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from lm_jax.models import outputs
from lm_jax.models.cache import Cache
from lm_jax.models.transformer import Embedder, Stack
from lm_jax.support.errors import UsageError
from lm_jax.types import Array, Head, Stream, Trunk


class Network(nn.Module):
  """Stacks by name, which share embeddings as their trunks say, and heads.

  trunks, head_specs: (name, options) pairs; hashable.
  deterministic: no dropout; otherwise an rng "dropout" is needed.
  adaptation: of the stack "main" (lm_jax/adaptation/base.py); or None.
  """

  trunks: tuple[tuple[str, Trunk], ...]
  head_specs: tuple[tuple[str, Head], ...] = ()
  deterministic: bool = True
  adaptation: Any = None

  def setup(self):
    trunks = dict(self.trunks)
    adapted = dict(trunks)
    if self.adaptation is not None:
      adaptation = self.adaptation
      if self.deterministic:
        adaptation = adaptation.without_dropout()
      main = dataclasses.replace(trunks["main"], adaptation=adaptation)
      adapted["main"] = main
    self.embedder = {
      name: Embedder(adapted[name])
      for name in sorted({trunk.embeddings for trunk in trunks.values()})
    }
    self.stack = {name: Stack(adapted[name]) for name in trunks}
    self.output = {name: outputs.Output(trunk) for name, trunk in self.trunks}
    self.heads = {
      name: outputs.HeadOutput(spec, trunks["main"])
      for name, spec in self.head_specs
    }

  @nn.nowrap
  def for_measuring(self) -> Network:
    """Returns it without dropout, in float32 whatever it was trained in."""
    trunks = tuple(
      (name, dataclasses.replace(trunk, dtype="float32"))
      for name, trunk in self.trunks
    )
    return self.clone(trunks=trunks, deterministic=True)

  def _trunk(self, stack: str) -> Trunk:
    return dict(self.trunks)[stack]

  def add_prompt(
    self, inputs: Stream, source: Stream | None
  ) -> tuple[Stream, Stream | None]:
    """Adds a soft prompt in front, as the stack "main" reads it."""
    if self.adaptation is None:
      return inputs, source
    return self.adaptation.add_prompt(self._trunk("main"), inputs, source)

  def extend_prompt(self, inputs: Stream) -> Stream:
    """Shifts further tokens of a stream that has a soft prompt."""
    if self.adaptation is None:
      return inputs
    return self.adaptation.extend_prompt(self._trunk("main"), inputs)

  def hidden(
    self,
    inputs: Stream,
    source: Stream | None = None,
    stack: str = "main",
    past: tuple[Array, ...] = (),
  ) -> Array:
    """Computes last-layer states of `inputs`, [B, T, D], in the compute dtype.

    past: a memory [B, M, D] for each layer, for XLNet's attention only (see
      lm_jax/models/relative_attention.py).
    """
    trunk, length = self._trunk(stack), inputs.tokens_BxT.shape[1]
    ahead = 0
    if stack == "main" and self.adaptation is not None:
      ahead = self.adaptation.ahead
    for stream in (inputs, source):
      # A look-up outside the table would be clamped silently.
      if stream is not None and trunk.positions == "learned":
        most = trunk.max_positions - ahead
        if stream.positions > most:
          behind = f" behind the {ahead} of its adaptation" if ahead else ""
          raise UsageError(
            f"a stream of {stream.positions} tokens is too long: the"
            f" model has {most} learned positions{behind}"
          )
    if stack == "main":
      inputs, source = self.add_prompt(inputs, source)
    hidden_BxTxD = self.states(inputs, source, stack, past)
    return hidden_BxTxD[:, -length:] if ahead else hidden_BxTxD

  def states(
    self,
    inputs: Stream,
    source: Stream | None = None,
    stack: str = "main",
    past: tuple[Array, ...] | Cache = (),
  ) -> Array:
    """Computes `hidden` of streams that have their prompt and are known to fit.

    There may be more slots, for padding, than the model has positions.

    past: see `hidden`; or a cache, which lm_jax/models/cache.py reads and
      writes.
    """
    embedder = self.embedder[self._trunk(stack).embeddings]
    return self.stack[stack](embedder, inputs, source, self.deterministic, past)

  def head(
    self,
    name: str,
    hidden_BxTxD: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    """Computes float32 logits of a head.

    They are [B, P, V] for "vocabulary", [B, P, size] for a head that reads
    tokens, and [B, size] for one that reads a text. That one reads the first of
    the positions, which are those of `lm_jax.inference.pooling.pooled` unless
    it is the first token.
    """
    x_BxPxD = _at(hidden_BxTxD, positions)
    batch, size, width = x_BxPxD.shape
    if name == "vocabulary":
      x_NxE, table_VxE, bias_V = self._output(x_BxPxD, stack)
      return outputs.logits(x_NxE, table_VxE, bias_V).reshape(batch, size, -1)
    spec = dict(self.head_specs)[name]
    if spec.pool != "none":
      return self.heads[name](x_BxPxD[:, 0], self.deterministic)
    x_NxD = x_BxPxD.reshape(-1, width)
    return self.heads[name](x_NxD, self.deterministic).reshape(batch, size, -1)

  def nll(
    self,
    hidden_BxTxD: Array,
    targets_BxP: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    """Computes -log p(target), float32 [B, P], without [B, T, V] in memory."""
    x_BxPxD = _at(hidden_BxTxD, positions)
    batch, size = targets_BxP.shape
    x_NxE, table_VxE, bias_V = self._output(x_BxPxD, stack)
    x_BxPxE = x_NxE.reshape(batch, size, -1)
    chunks = outputs.chunks_for(batch, size, table_VxE.shape[0])
    spare = -size % chunks
    if spare:
      x_BxPxE = jnp.pad(x_BxPxE, ((0, 0), (0, spare), (0, 0)))
      targets_BxP = jnp.pad(targets_BxP, ((0, 0), (0, spare)))
    loss_BxP = outputs.vocabulary_nll(
      x_BxPxE, table_VxE, bias_V, targets_BxP, chunks
    )
    return loss_BxP[:, :size]

  def _output(self, x_BxPxD: Array, stack: str):
    """Returns states [B * P, E] before the table, the table, and the bias."""
    x_NxD = x_BxPxD.reshape(-1, x_BxPxD.shape[-1])
    x_NxE, table_VxE, bias_V = self.output[stack](x_NxD)
    if table_VxE is None:
      embedder = self.embedder[self._trunk(stack).embeddings]
      table_VxE = embedder.embedding_VxE
    return x_NxE, table_VxE, bias_V


def _at(hidden_BxTxD: Array, positions: Array | None) -> Array:
  if positions is None:
    return hidden_BxTxD
  return jnp.take_along_axis(hidden_BxTxD, positions[:, :, None], axis=1)
