"""Products and their gradients against einsum in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy

from lm_jax.models import products


def _pair(shape, other):
  shapes = enumerate((shape, other))
  return (toy.draw(jnp.zeros(s), i, scale=1.0) for i, s in shapes)


@pytest.mark.parametrize("is_cpu", [True, False])
@pytest.mark.parametrize(("rows", "width", "out"), [(7, 3, 5), (6, 5, 2)])
def test_a_product_and_its_gradients(monkeypatch, is_cpu, rows, width, out):
  monkeypatch.setattr(products, "_is_cpu", lambda: is_cpu)
  x, kernel = _pair((rows, width), (width, out))
  found, pull = jax.vjp(products.product, x, kernel)
  grad = toy.draw(jnp.zeros((rows, out)), 3, scale=1.0)
  grad_x, grad_kernel = pull(grad)
  x, kernel, grad = (np.asarray(a, np.float64) for a in (x, kernel, grad))
  np.testing.assert_allclose(found, x @ kernel, atol=1e-5)
  np.testing.assert_allclose(grad_x, grad @ kernel.T, atol=1e-5)
  np.testing.assert_allclose(grad_kernel, x.T @ grad, atol=1e-5)


@pytest.mark.parametrize("is_cpu", [True, False])
def test_sums_over_rows_and_queries_have_the_dtype_asked_for(
  monkeypatch, is_cpu
):
  monkeypatch.setattr(products, "_is_cpu", lambda: is_cpu)
  x, y = (a.astype(jnp.bfloat16) for a in _pair((300, 4), (300, 3)))
  found = products.over_rows(x, y, jnp.float32)
  assert found.dtype == jnp.float32
  x, y = (np.asarray(a, np.float64) for a in (x, y))
  np.testing.assert_allclose(found, x.T @ y, atol=1e-4)
  weight, q = _pair((2, 3, 8, 5), (2, 3, 8, 4))
  found = products.over_queries(weight, q, jnp.float32)
  expected = np.einsum("bhts,bhtk->bhsk", weight, q)
  np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_held_kernel_costs_no_gradient():
  x, kernel = _pair((64, 8), (8, 16))

  def loss(x, kernel):
    return jnp.sum(jnp.square(products.product(x, kernel)))

  held, both = (
    jax.jit(jax.grad(loss, which)).lower(x, kernel).compile().cost_analysis()
    for which in (0, (0, 1))
  )
  assert held["flops"] < 0.8 * both["flops"]
