"""Computes outputs of the last layer: vocabulary, its loss, and heads."""

from __future__ import annotations

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.custom_derivatives import CustomVJPPrimal, SymbolicZero

from lm_jax.models import products
from lm_jax.models.dense import dense, parameter
from lm_jax.models.layers import activation
from lm_jax.models.norm import Norm
from lm_jax.types import Array, Head, Trunk

# Most logits that the loss holds at once; 128 MiB.
MOST_LOGITS = 2**25
# Rows up to which a product with the vocabulary's table is faster with the
# table first: by a fifth at 16 rows on a CPU, where texts are generated.
FEW = 32


class Output(nn.Module):
  """Maps states to the vocabulary's table; holds the table if it is untied.

  It applies BERT's transform (dense, activation, norm), or maps the width of
  the trunk back to that of a factorized embedding (Lan et al. 2020).
  """

  trunk: Trunk

  @nn.compact
  def __call__(self, x_NxD: Array) -> tuple[Array, Array | None, Array | None]:
    trunk = self.trunk
    width = trunk.embedding_width or trunk.width
    if trunk.output_transform:
      x_NxD = dense(
        trunk,
        width,
        ("embed", None),
        "transform",
        bias=trunk.output_transform_bias,
      )(x_NxD)
      x_NxD = activation(trunk, trunk.output_activation)(x_NxD)
      x_NxD = Norm(trunk, name="norm")(x_NxD)
    elif trunk.tied and width != trunk.width:
      x_NxD = dense(trunk, width, ("embed", None), "projection")(x_NxD)
    if trunk.output_scaling:
      x_NxD = x_NxD * jnp.asarray(trunk.width**-0.5, x_NxD.dtype)
    table_VxE = bias_V = None
    if not trunk.tied:
      table_VxE = parameter(
        self,
        "embedding",
        nn.initializers.normal(trunk.initializer_range),
        (trunk.vocabulary, x_NxD.shape[-1]),
        ("vocabulary", "embed"),
      )
    if trunk.output_bias:
      bias_V = parameter(
        self,
        "bias",
        nn.initializers.zeros,
        (trunk.vocabulary,),
        ("vocabulary",),
      )
    return x_NxD, table_VxE, bias_V


class HeadOutput(nn.Module):
  """A head other than the vocabulary (lm_jax.types.Head)."""

  spec: Head
  trunk: Trunk

  @nn.compact
  def __call__(self, x_NxD: Array, deterministic: bool) -> Array:
    """Computes float32 logits [N, size]; if size is 0, [N, D] before them."""
    spec, trunk = self.spec, self.trunk
    if spec.transform:
      name = "" if spec.transform == "trunk" else spec.transform
      x_NxD = dense(
        trunk, trunk.width, ("embed", None), "dense", bias=spec.transform_bias
      )(x_NxD)
      x_NxD = activation(trunk, name)(x_NxD)
    if spec.norm:
      x_NxD = Norm(trunk, name="norm")(x_NxD)
    if spec.dropout:
      x_NxD = nn.Dropout(spec.dropout)(x_NxD, deterministic)
    if spec.size:
      axes = ("embed", None)
      x_NxD = dense(trunk, spec.size, axes, "out", bias=spec.bias)(x_NxD)
    return x_NxD.astype(jnp.float32)


def logits(x_NxE: Array, table_VxE: Array, bias_V: Array | None) -> Array:
  """Computes float32 logits [N, V]."""
  table_VxE = table_VxE.astype(x_NxE.dtype)
  both = (((1,), (1,)), ((), ()))
  if 1 < x_NxE.shape[0] <= FEW:
    out_VxN = jax.lax.dot_general(
      table_VxE, x_NxE, both, preferred_element_type=jnp.float32
    )
    # Without a barrier XLA puts the table second again.
    out_NxV = jax.lax.optimization_barrier(out_VxN).T
  else:
    out_NxV = jax.lax.dot_general(
      x_NxE, table_VxE, both, preferred_element_type=jnp.float32
    )
  return out_NxV if bias_V is None else out_NxV + bias_V


def _nll(x_NxE, table_VxE, bias_V, targets_N):
  logits_NxV = logits(x_NxE, table_VxE, bias_V)
  lse_N = jax.nn.logsumexp(logits_NxV, axis=-1)
  at_N = jnp.take_along_axis(logits_NxV, targets_N[:, None], axis=1)[:, 0]
  return lse_N - at_N, logits_NxV, lse_N


def _nll_gradients(
  x_NxE, table_VxE, logits_NxV, lse_N, targets_N, grad_N, held
):
  """Computes d loss / d logits = softmax - one-hot, and the other gradients.

  held: whether the table is fixed; its gradient is then None.
  """
  grad_NxV = jnp.exp(logits_NxV - lse_N[:, None]) * grad_N[:, None]
  vocabulary = jnp.arange(logits_NxV.shape[1])[None]
  hit_NxV = vocabulary == targets_N[:, None]
  grad_NxV = jnp.where(hit_NxV, grad_NxV - grad_N[:, None], grad_NxV)
  low_NxV = grad_NxV.astype(x_NxE.dtype)
  grad_x = low_NxV @ table_VxE.astype(x_NxE.dtype)
  grad_bias = jnp.sum(grad_NxV, axis=0)
  if held:
    return grad_x, None, grad_bias
  grad_table = products.over_rows(low_NxV, x_NxE, jnp.float32)
  return grad_x, grad_table, grad_bias


@functools.partial(jax.custom_vjp, nondiff_argnums=(4,))
def vocabulary_nll(
  x_BxPxE: Array,
  table_VxE: Array,
  bias_V: Array | None,
  targets_BxP: Array,
  chunks: int,
) -> Array:
  """Computes -log softmax(x table^T + bias)[target], float32 [B, P].

  With one chunk the logits are kept for the backward pass. With more, they
  are computed chunk by chunk along P, and again in the backward pass, so that
  at most one chunk of them is ever held.
  """
  return _nll_forward(x_BxPxE, table_VxE, bias_V, targets_BxP, chunks)[0]


def _split(x_BxP, chunks):
  """Splits [B, P, ...] into [chunks, B * P / chunks, ...]; P is divisible."""
  batch, size = x_BxP.shape[:2]
  x = x_BxP.reshape(batch, chunks, size // chunks, *x_BxP.shape[2:])
  x = jnp.moveaxis(x, 1, 0)
  return x.reshape(chunks, batch * size // chunks, *x_BxP.shape[2:])


def _join(x_CxN, batch):
  chunks = x_CxN.shape[0]
  x = x_CxN.reshape(chunks, batch, -1, *x_CxN.shape[2:])
  x = jnp.moveaxis(x, 0, 1)
  return x.reshape(batch, -1, *x_CxN.shape[2:])


def _nll_forward(x_BxPxE, table_VxE, bias_V, targets_BxP, chunks):
  shape = targets_BxP.shape
  if chunks == 1:
    x_NxE = x_BxPxE.reshape(-1, x_BxPxE.shape[-1])
    loss_N, *kept = _nll(x_NxE, table_VxE, bias_V, targets_BxP.reshape(-1))
    saved = (x_BxPxE, table_VxE, bias_V, targets_BxP, kept)
    return loss_N.reshape(shape), saved

  def chunk(args):
    x_NxE, targets_N = args
    loss_N, _, lse_N = _nll(x_NxE, table_VxE, bias_V, targets_N)
    return loss_N, lse_N

  loss, lse = jax.lax.map(
    chunk, (_split(x_BxPxE, chunks), _split(targets_BxP, chunks))
  )
  saved = (x_BxPxE, table_VxE, bias_V, targets_BxP, [None, lse])
  return _join(loss, shape[0]), saved


def _nll_saving(x_BxPxE, table_VxE, bias_V, targets_BxP, chunks):
  """Calls `_nll_forward` for custom_vjp, which says what is differentiated."""
  x, table, bias, targets = jax.tree.map(
    lambda primal: primal.value,
    (x_BxPxE, table_VxE, bias_V, targets_BxP),
    is_leaf=lambda x: isinstance(x, CustomVJPPrimal),
  )
  loss_BxP, saved = _nll_forward(x, table, bias, targets, chunks)
  # Static, so the structure of the saved values encodes it.
  return loss_BxP, (saved, () if table_VxE.perturbed else None)


def _nll_backward(chunks, kept, grad_BxP):
  saved, differentiated = kept
  held = differentiated is None
  x_BxPxE, table_VxE, bias_V, targets_BxP, (logits_NxV, lse) = saved
  if isinstance(grad_BxP, SymbolicZero):
    return None, None, None, None
  width = x_BxPxE.shape[-1]
  if chunks == 1:
    grad_x, grad_table, grad_bias = _nll_gradients(
      x_BxPxE.reshape(-1, width),
      table_VxE,
      logits_NxV,
      lse,
      targets_BxP.reshape(-1),
      grad_BxP.reshape(-1),
      held,
    )
    grad_x = grad_x.reshape(x_BxPxE.shape)
  else:

    def chunk(sums, args):
      x_NxE, targets_N, lse_N, grad_N = args
      logits_NxV = logits(x_NxE, table_VxE, bias_V)
      grad_x, *more = _nll_gradients(
        x_NxE, table_VxE, logits_NxV, lse_N, targets_N, grad_N, held
      )
      return jax.tree.map(jnp.add, sums, tuple(more)), grad_x

    zeros = (
      None if held else jnp.zeros(table_VxE.shape, jnp.float32),
      jnp.zeros(table_VxE.shape[:1], jnp.float32),
    )
    (grad_table, grad_bias), grad_x = jax.lax.scan(
      chunk,
      zeros,
      (
        _split(x_BxPxE, chunks),
        _split(targets_BxP, chunks),
        lse,
        _split(grad_BxP, chunks),
      ),
    )
    grad_x = _join(grad_x, x_BxPxE.shape[0])
  if bias_V is None:
    grad_bias = None
  return grad_x.astype(x_BxPxE.dtype), grad_table, grad_bias, None


vocabulary_nll.defvjp(_nll_saving, _nll_backward, symbolic_zeros=True)


def chunks_for(rows: int, positions: int, vocabulary: int) -> int:
  """Returns the fewest chunks of the positions that fit MOST_LOGITS."""
  chunks = 1
  while (
    rows * -(-positions // chunks) * vocabulary > MOST_LOGITS
    and chunks < positions
  ):
    chunks *= 2
  return min(chunks, positions)
