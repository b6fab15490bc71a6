"""Defines optimizers as directions of descent.

The train step applies `params - learning_rate(fraction) * direction`. Only it
knows how much of the budget is spent, so no optimizer counts steps towards a
horizon (lm_jax/training/schedule.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.types import Array

if TYPE_CHECKING:
  import optax

PyTree = Any


# Adafactor: Shazeer and Stern 2018, section 9 (epsilon_2 and d there).
_RMS_FLOOR, _UPDATE_RMS = 1e-3, 1.0
# Muon: the root mean square of AdamW's updates (Liu et al. 2025, section 2.2).
_ADAM_RMS = 0.2


def global_norm(tree: PyTree) -> Array:
  """Computes the Euclidean norm of all leaves together, in float32."""
  squares = [
    jnp.sum(jnp.square(leaf.astype(jnp.float32)))
    for leaf in jax.tree.leaves(tree)
  ]
  return jnp.sqrt(sum(squares, start=jnp.float32(0)))


def optimizer(
  options: OptimizerOptions, params_or_shapes: PyTree
) -> optax.GradientTransformation:
  """Makes the direction of descent: clipping, method, decoupled weight decay.

  It has neither a learning rate nor a sign: the step is
  `params - learning_rate * direction`. The last part of the path decides on
  weight decay: only a "kernel" or an "...embedding" that is not relative
  decays; a norm's "scale", a "bias" or a table of relative positions never
  does, even if layers stacked by scan make it 2-d. Operations by layer (trust
  ratios, update clipping, orthogonal matrices) are done by layer in a stack
  too.

  adamw: Loshchilov and Hutter 2019, algorithm 2.
  lamb: You et al. 2020, algorithm 2, phi the identity; as in the authors'
    code, parameters without decay get no trust ratio.
  adafactor: Shazeer and Stern 2018, algorithms 4 and 5, no first moment;
    matrices with a side below 128 are not factored; steps are absolute unless
    `parameter_scale`, so that learning rates like AdamW's fit.
  lion: Chen et al. 2023, algorithm 2.
  muon: Jordan 2024, on hidden kernels; embeddings, vocabulary, heads and all
    vectors by AdamW. Departures: the scale is 0.2 sqrt(max(in, out)) (Liu et
    al. 2025, eq. 4), Jordan's is sqrt(max(1, out / in)); and unless
    `momentum_correction` is off, the bias of the momentum is corrected, as in
    optax: with m <- b m + (1 - b) g, the matrix to orthogonalize at step t is
    b m / (1 - b^(t + 1)) + (1 - b) g / (1 - b^t) instead of b m + (1 - b) g. In
    the first steps that gives the newest gradient more weight.

  Args:
    options: of the method.
    params_or_shapes: the trained parameters; only paths and shapes are used.
  """
  import optax

  decays = _map(_decays, params_or_shapes)
  decay = optax.add_decayed_weights(options.weight_decay, decays)
  stacked = _map(_stacked_axes, params_or_shapes)
  adam = optax.scale_by_adam(options.beta1, options.beta2, options.epsilon)
  match options.name:
    case "adamw":
      method = [adam, decay]
    case "lamb":
      trust = _by_layer(optax.scale_by_trust_ratio(), stacked, decays)
      method = [adam, decay, trust]
    case "adafactor":
      method = [
        optax.scale_by_factored_rms(),
        _by_layer(optax.clip_by_block_rms(_UPDATE_RMS), stacked),
      ]
      if options.parameter_scale:
        scale = optax.scale_by_param_block_rms(_RMS_FLOOR)
        method.append(_by_layer(scale, stacked))
      method.append(decay)
    case "lion":
      method = [optax.scale_by_lion(options.beta1, options.beta2), decay]
    case "muon":
      labels = _map(
        lambda path, leaf: "muon" if _hidden(path, leaf) else "adam",
        params_or_shapes,
      )
      methods = {"muon": _muon(options), "adam": adam}
      method = [optax.partition(methods, labels), decay]
  if options.clip:
    method.insert(0, optax.clip_by_global_norm(options.clip))
  return optax.chain(*method)


def _map(rule: Callable[[list[str], Any], Any], tree: PyTree) -> PyTree:
  def apply_rule(path, leaf):
    parts = jax.tree_util.keystr(path, simple=True, separator="/").split("/")
    # Boxed parameters end in their box's attribute.
    return rule(parts[:-1] if parts[-1] == "value" else parts, leaf)

  return jax.tree_util.tree_map_with_path(apply_rule, tree)


def _decays(path: list[str], leaf: Any) -> bool:
  name = path[-1]
  matrix = name == "kernel" or name.endswith("embedding")
  return matrix and "relative" not in name and leaf.ndim > 1


def _stacked_axes(path: list[str], leaf: Any) -> int:
  """Number of leading axes of a leaf that count layers of a scan."""
  return max(0, leaf.ndim - (1 if path[-1] in ("scale", "bias") else 2))


def _hidden(path: list[str], leaf: Any) -> bool:
  """Returns whether Muon applies to a leaf: a kernel between hidden layers."""
  outer = any(part.startswith(("vocabulary", "head")) for part in path)
  return path[-1] == "kernel" and leaf.ndim > 1 and not outer


def _by_layer(
  stateless: optax.GradientTransformation,
  stacked: PyTree,
  chosen: PyTree | None = None,
) -> optax.GradientTransformation:
  """Applies a stateless transformation to each layer of a stack separately."""
  import optax

  def update(updates, state, params=None):
    def one(update, param, axes, choose=True):
      if not choose:
        return update

      def layer(u, p):
        return stateless.update(u, optax.EmptyState(), p)[0]

      for _ in range(axes):
        layer = jax.vmap(layer)
      return layer(update, param)

    trees = (stacked,) if chosen is None else (stacked, chosen)
    return jax.tree.map(one, updates, params, *trees), state

  return optax.GradientTransformation(lambda _: optax.EmptyState(), update)


def _muon(options: OptimizerOptions) -> optax.GradientTransformation:
  import optax
  import optax.contrib

  axes = optax.contrib.MuonDimensionNumbers(reduction_axis=-2, output_axis=-1)

  def rescale(update, _):
    return update * (_ADAM_RMS * math.sqrt(max(update.shape[-2:])))

  def muon(beta: float) -> optax.GradientTransformation:
    return optax.contrib.scale_by_muon(
      beta=beta,
      eps=options.epsilon,
      weight_dimension_numbers=lambda tree: jax.tree.map(lambda _: axes, tree),
    )

  scale = optax.stateless_with_tree_map(rescale)
  if options.momentum_correction:
    return optax.chain(muon(options.momentum), scale)
  # Without its own momentum there is no bias to correct.
  return optax.chain(_nesterov(options.momentum), muon(0.0), scale)


def _nesterov(beta: float) -> optax.GradientTransformation:
  """Nesterov momentum: m <- b m + (1 - b) g gives b m + (1 - b) g."""
  import optax

  def mixed(average, new):
    return jax.tree.map(lambda m, g: beta * m + (1 - beta) * g, average, new)

  def update(updates, state, params=None):
    momentum = mixed(state.trace, updates)
    return mixed(momentum, updates), optax.TraceState(momentum)

  def init(params):
    return optax.TraceState(jax.tree.map(jnp.zeros_like, params))

  return optax.GradientTransformation(init, update)
