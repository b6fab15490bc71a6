import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.storage import digest as digest_lib
from lm_jax.storage.digest import digest


@pytest.mark.parametrize(
  "dtype", ["float32", "bfloat16", "float16", "uint32", "int8", "bool"]
)
def test_every_flipped_bit_changes_the_digest(dtype):
  x = np.asarray(jnp.arange(6).reshape(2, 3).astype(dtype))
  seen = {digest({"x": jnp.asarray(x)})}
  places = range(x.nbytes) if dtype != "bool" else range(1, 6)
  bits = range(8) if dtype != "bool" else (0,)
  for byte in places:
    for bit in bits:
      changed = x.copy()
      changed.view(np.uint8).reshape(-1)[byte] ^= 1 << bit
      seen.add(digest({"x": jnp.asarray(changed)}))
  assert len(seen) == 1 + len(places) * len(bits)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "bool"])
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 4), (0, 4)])
def test_the_host_and_the_device_say_the_same(dtype, shape):
  x = np.random.default_rng(0).normal(size=shape) * 9
  x = jnp.asarray(x).astype(dtype)
  device = digest_lib._device_sums(x)
  assert list(map(int, digest_lib._sums(x))) == list(map(int, device))


def test_names_order_shapes_and_dtypes_count():
  x = jnp.arange(6.0)
  trees = [{"a": x}, {"b": x}, {"a": x[::-1]}, {"a": x.reshape(2, 3)}]
  trees += [{"a": x.astype(jnp.int32)}, {"a": -x}, {"a": jnp.zeros(6)}]
  trees += [{"a": jnp.zeros(5)}, {"a": x.reshape(2, 3).T}]
  assert len({digest(tree) for tree in trees}) == len(trees)
  assert digest({"a": x + 0, "b": x}) == digest({"b": x, "a": x})


def test_one_path_names_one_leaf():
  with pytest.raises(ValueError, match="same dotted path"):
    digest({"a.b": jnp.zeros(1), "a": {"b": jnp.zeros(1)}})
