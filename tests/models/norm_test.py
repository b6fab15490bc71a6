import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.models import norm, products
from lm_jax.training import flops

EPSILON = 1e-3  # large, so that a gradient that forgets it is off


def _reference(x, scale, center):
  """Float64, from the definition."""
  if center:
    x = x - x.mean(-1, keepdims=True)
  return scale * x / np.sqrt((x**2).mean(-1, keepdims=True) + EPSILON)


def _slope(function, x, direction):
  """Central difference along a direction."""
  step = 1e-6 * direction
  return (function(x + step) - function(x - step)) / 2e-6


def _draw():
  rng = np.random.default_rng(0)
  x = rng.standard_normal((6, 8)) * [[1], [1e-2], [30], [1], [1], [1]] + 0.5
  x = x.astype(np.float32).astype(np.float64)  # what both sides read
  return x, *(rng.standard_normal(s) for s in ((8,), (6, 8), (6, 8), (8,)))


@pytest.mark.parametrize("backend", ["cpu", "gpu"])
@pytest.mark.parametrize("center", [True, False])
def test_values_and_gradients_are_those_of_the_definition(
  center, backend, monkeypatch
):
  monkeypatch.setattr(products, "_is_cpu", lambda: backend == "cpu")
  x, scale, cotangent, along_x, along_scale = _draw()
  low = (jnp.float32(x), jnp.float32(scale))
  found, pull = jax.vjp(
    lambda *args: norm.normalize(*args, center, EPSILON), *low
  )
  np.testing.assert_allclose(found, _reference(x, scale, center), 1e-5, 1e-6)
  grad_x, grad_scale = pull(jnp.float32(cotangent))
  expected_x = _slope(
    lambda x: (cotangent * _reference(x, scale, center)).sum(), x, along_x
  )
  expected_scale = _slope(
    lambda s: (cotangent * _reference(x, s, center)).sum(), scale, along_scale
  )
  np.testing.assert_allclose((grad_x * along_x).sum(), expected_x, rtol=1e-4)
  np.testing.assert_allclose(
    (grad_scale * along_scale).sum(), expected_scale, rtol=1e-4
  )


def test_gradients_of_bfloat16_are_computed_in_float32():
  x, scale, cotangent, _, _ = _draw()
  low = jnp.bfloat16(x)

  def gradient(x):
    _, pull = jax.vjp(lambda x: norm.normalize(x, scale, True, EPSILON), x)
    return pull(jnp.float32(cotangent))[0]

  found, exact = gradient(low), gradient(low.astype(jnp.float32))
  assert found.dtype == jnp.bfloat16
  np.testing.assert_array_equal(found, exact.astype(jnp.bfloat16))


def test_its_sums_are_no_model_flops():
  x, scale, *_ = _draw()

  def total(x, scale, kernel):
    return jnp.sum(norm.normalize(x, scale, True, EPSILON) @ kernel)

  args = (jnp.float32(x), jnp.float32(scale), jnp.ones((8, 3)))
  jaxpr = jax.make_jaxpr(jax.grad(total, (0, 1, 2)))(*args)
  assert "dot_general" in str(jaxpr.jaxpr)
  assert flops.dots(jaxpr) == 3 * 2 * 6 * 8 * 3
