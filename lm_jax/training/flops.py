"""Counts model FLOPs: the dot products of a loss on the plain network.

One multiply-add is 2 FLOPs. Attention is square (T x T, or T x S), nothing is
recomputed, and the backward pass costs twice the forward one, so that the
figure is the same on every backend, for any kernels. If only a part of the
parameters is trained, the backward pass costs less: lm_jax/training/frozen.py
counts it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from jax.extend import core

from lm_jax.types import SUMS, Apply, Array, Head, Stream, Trunk


def embedding_width(trunk: Trunk) -> int:
  """Width of the embedding table: `width` unless it is factorized."""
  return trunk.embedding_width or trunk.width


def forward_hidden(
  trunk: Trunk, batch: int, length: int, source_length: int | None = None
) -> int:
  """Counts FLOPs of a forward pass of a stack over [batch, length] tokens.

  Args:
    trunk: of the stack.
    batch: B.
    length: T, the stream's length.
    source_length: S, the encoder's stream (encoder_decoder only).
  """
  encoder_decoder = trunk.architecture == "encoder_decoder"
  if encoder_decoder != (source_length is not None):
    raise ValueError(
      f"a source length of {source_length} does not fit {trunk.architecture}"
    )
  flops = _embed(trunk, batch * length)
  if source_length is None:
    return flops + trunk.layers * _layer(trunk, batch, length)
  flops += _embed(trunk, batch * source_length)
  encoder = dataclasses.replace(
    trunk,
    layers=trunk.encoder_layers or trunk.layers,
    heads=trunk.encoder_heads or trunk.heads,
    feedforward=trunk.encoder_feedforward or trunk.feedforward,
  )
  flops += encoder.layers * _layer(encoder, batch, source_length)
  cross = _attention(trunk, batch, length, source_length)
  return flops + trunk.layers * (_layer(trunk, batch, length) + cross)


def _layer(trunk: Trunk, batch: int, length: int) -> int:
  gated = trunk.activation.removesuffix("_exact").endswith("glu")
  matrices = 3 if gated else 2
  feedforward = matrices * 2 * batch * length * trunk.width * trunk.feedforward
  flops = _attention(trunk, batch, length, length) + feedforward
  if trunk.positions == "xlnet":
    flops += _apart(trunk, batch, length)
  return flops


def _apart(trunk: Trunk, batch: int, length: int) -> int:
  """FLOPs of projecting all distances once, and scoring them per query."""
  width = trunk.heads * (trunk.head_width or trunk.width // trunk.heads)
  distances = 2 * length - 1
  return 2 * distances * (trunk.width + batch * length) * width


def _attention(trunk: Trunk, batch: int, queries: int, keys: int) -> int:
  head_width = trunk.head_width or trunk.width // trunk.heads
  query_width = trunk.heads * head_width
  key_width = (trunk.kv_heads or trunk.heads) * head_width
  project = 4 * batch * queries * trunk.width * query_width  # query, output
  project += 4 * batch * keys * trunk.width * key_width  # key, value
  return project + 4 * batch * queries * keys * query_width  # scores, values


def _embed(trunk: Trunk, tokens: int) -> int:
  if embedding_width(trunk) == trunk.width:
    return 0
  return 2 * tokens * embedding_width(trunk) * trunk.width


def forward_vocabulary(trunk: Trunk, rows: int) -> int:
  """Counts FLOPs of vocabulary logits at `rows` positions, forward."""
  width = embedding_width(trunk)
  factorized = width != trunk.width
  flops = 2 * rows * width * trunk.vocabulary
  if trunk.output_transform or (factorized and trunk.tied):
    return flops + 2 * rows * trunk.width * width
  # Untied, without transform: the output matrix reads the states directly.
  return 2 * rows * trunk.width * trunk.vocabulary


def forward_head(head: Head, trunk: Trunk, batch: int, tokens: int) -> int:
  """Counts FLOPs of a head's forward pass.

  Args:
    head: reads `batch` rows if it pools, or else `tokens` positions.
    trunk: of the stack that the head sits on.
    batch: B.
    tokens: positions of the whole batch that need logits.
  """
  rows = tokens if head.pool == "none" else batch
  transform = trunk.width if head.transform else 0
  return 2 * rows * trunk.width * (transform + head.size)


class Counter:
  """An `Apply` that counts the calls of a loss to another `Apply`.

  Trace the loss once, forward only, for instance under `jax.eval_shape`: a call
  inside a scan, a vmap or a cond is traced once and counts once. A training
  step costs 3 * forward.

  forward: FLOPs of the calls so far.
  positions: stream tokens computed so far, of every stack, sources included.
  """

  def __init__(
    self, apply: Apply, trunks: Mapping[str, Trunk], heads: Mapping[str, Head]
  ):
    self.forward = 0
    self.positions = 0
    self._apply = apply
    self._trunks = trunks
    self._heads = heads

  def hidden(
    self, inputs: Stream, source: Stream | None = None, stack: str = "main"
  ) -> Array:
    batch, length = inputs.tokens_BxT.shape
    source_length = None if source is None else source.tokens_BxT.shape[1]
    self.forward += forward_hidden(
      self._trunks[stack], batch, length, source_length
    )
    self.positions += batch * (length + (source_length or 0))
    return self._apply.hidden(inputs, source, stack)

  def head(
    self,
    name: str,
    hidden_BxTxD: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    batch, length = hidden_BxTxD.shape[:2]
    asked = length if positions is None else positions.shape[-1]
    trunk = self._trunks[stack]
    if name == "vocabulary":
      self.forward += forward_vocabulary(trunk, batch * asked)
    else:
      head = self._heads[name]
      self.forward += forward_head(head, trunk, batch, batch * asked)
    return self._apply.head(name, hidden_BxTxD, positions, stack)

  def nll(
    self,
    hidden_BxTxD: Array,
    targets_BxP: Array,
    positions: Array | None = None,
    stack: str = "main",
  ) -> Array:
    rows = math.prod(targets_BxP.shape)
    self.forward += forward_vocabulary(self._trunks[stack], rows)
    return self._apply.nll(hidden_BxTxD, targets_BxP, positions, stack)


def plain(network: Any) -> Any:
  """Returns the network whose dot products define model FLOPs."""
  trunks = tuple(
    (name, dataclasses.replace(trunk, attention="plain", remat="none"))
    for name, trunk in network.trunks
  )
  return network.clone(trunks=trunks, deterministic=True)


def dots(jaxpr: core.Jaxpr | core.ClosedJaxpr) -> int:
  """Counts FLOPs of all dot products of a jaxpr, including its calls.

  A scan counts its body times its length, a cond its most expensive branch;
  sums that are computed as products (lm_jax.types.SUMS) do not count.

  Raises:
    ValueError: the jaxpr does not show how often dot products are computed (in
      a while loop, a kernel, or the shards of a shard_map).
  """
  if isinstance(jaxpr, core.ClosedJaxpr):
    jaxpr = jaxpr.jaxpr
  return sum(_equation(equation) for equation in jaxpr.eqns)


def _equation(equation: core.JaxprEqn) -> int:
  name = equation.primitive.name
  if name == "dot_general":
    (contracted, _), _ = equation.params["dimension_numbers"]
    left: Any = equation.invars[0].aval
    product: Any = equation.outvars[0].aval
    sums = math.prod(left.shape[axis] for axis in contracted)
    return 2 * sums * math.prod(product.shape)
  if equation.params.get("name") == SUMS:
    return 0
  inner = [dots(jaxpr) for jaxpr in _jaxprs(equation.params)]
  if name == "scan":
    return equation.params["length"] * sum(inner)
  if name == "cond":
    return max(inner)
  total = sum(inner)
  if total and name.startswith(("while", "shard_map", "pallas_call")):
    raise ValueError(f"cannot tell how often {name} computes its dot products")
  return total


def _jaxprs(params: Mapping[str, Any]) -> list[Any]:
  inner = []
  for value in params.values():
    items = value if isinstance(value, (tuple, list)) else [value]
    kinds = (core.Jaxpr, core.ClosedJaxpr)
    inner += [item for item in items if isinstance(item, kinds)]
  return inner


def electra_convention(
  trunk: Trunk,
  length: int,
  predicted: float = 0.15625,
  discriminator: bool = False,
) -> float:
  """Counts training FLOPs of one sequence like the ELECTRA paper.

  Clark et al. 2020, appendix on counting FLOPs: the backward pass costs as
  much as the forward pass, embeddings are products with one-hot vectors, and
  element-wise operations count (dropout 4, layer norm 5, GELU 8, softmax 5
  for an element). It is for reproducing the published figures only: 1.29e18
  for ELECTRA-Small, 1.42e18 for BERT-Small.

  Args:
    trunk: of an encoder with biases, dropout and post-norm.
    length: tokens of a sequence.
    predicted: fraction of positions with a softmax over the vocabulary.
    discriminator: has a binary output per token in place of that softmax.
  """
  width, e = trunk.width, embedding_width(trunk)
  # Per token. A dense map is its product and its bias.
  attend = length * (4 * width + (5 + 4 + 1) * trunk.heads)
  project = 4 * (2 * width * width + width)
  feedforward = 4 * width * trunk.feedforward + width + 9 * trunk.feedforward
  # After both halves of a layer: dropout, residual and layer norm.
  layer = attend + project + feedforward + 2 * (4 + 1 + 5) * width
  one_hot = 2 * e * (trunk.vocabulary + length + 2)
  embed = one_hot + (2 + 5 + 4) * e
  if e != width:
    embed += 2 * width * e + width
  if discriminator:
    output: float = 2 * width * width + (1 + 8 + 2) * width
  else:
    transform = 2 * width * e + (1 + 8 + 5) * e
    output = predicted * (transform + (2 * e + 5 + 2) * trunk.vocabulary)
  return 2 * length * (trunk.layers * layer + embed + output)
