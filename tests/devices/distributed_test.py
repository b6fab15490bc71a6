import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from lm_jax.devices import distributed, sharding
from lm_jax.support.errors import UsageError


def test_a_process_alone_agrees_with_itself():
  assert distributed.exchange("x") == ["x"]
  assert distributed.is_first()
  votes = distributed.Votes(1.5)
  assert votes.seconds(2.5) == 2.5
  assert not votes.stop(False, 2.5) and votes.stop(True, 2.5)
  with (
    pytest.raises(UsageError, match="^mine$"),
    distributed.raise_everywhere(),
  ):
    raise UsageError("mine")


@pytest.mark.parametrize(
  ("held", "count", "expected"),
  [
    ((0, 1), 4, (0, 2)),
    ((2, 3), 4, (1, 2)),
    ((3,), 4, (3, 4)),
    ((0, 1, 2, 3), 4, (0, 1)),
    ((0, 2), 4, (0, 1)),  # not contiguous: it reads all
    ((1, 2), 4, (0, 1)),  # not at a multiple of its size
  ],
)
def test_the_rows_a_process_reads(held, count, expected, monkeypatch):
  class Rows:
    spec = PartitionSpec(("data", "fsdp"))

    def addressable_devices_indices_map(self, shape):
      assert shape == (count,)
      # Two devices that split parameters hold the same rows.
      return {
        f"device {i} of {twice}": (slice(i, i + 1),)
        for i in held
        for twice in range(2)
      }

  class Mesh:
    shape = {"data": count // 2, "fsdp": 2}  # noqa: RUF012

  monkeypatch.setattr(sharding, "rows", lambda mesh: Rows())
  assert sharding.share(Mesh()) == expected


def test_put_and_fetch_on_one_process():
  mesh = sharding.make_mesh()
  tree = {"a": np.arange(6.0, dtype=np.float32)}
  placed = sharding.place_arrays(tree, {"a": sharding.replicated(mesh)})
  assert isinstance(placed["a"], jax.Array)
  np.testing.assert_array_equal(sharding.fetch(placed["a"]), tree["a"])
