"""The same run on one device and on eight simulated ones.

The number of devices is fixed when jax starts, so the runs on eight are made
by this file as a script, in a process of its own.
"""

import json

import devices_apart
import jax
import numpy as np
import pytest

from lm_jax.config import optimizer

MESHES = [
  {"data": 8},
  {"data": 2, "fsdp": 2, "tensor": 2},
]
STEPS = 20
LENGTH = 128  # two blocks of queries, so that their kernel is in it
# Numbers that two devices divide, and a vocabulary that they do not share
# with any other axis.
RICH = {
  "kv_heads": 1,
  "positions": "learned",
  "activation": "swiglu",
  "bias": True,
  "output_bias": True,
  "tied": False,
  "vocabulary": 98,
}


def run(mesh):
  """Losses of a run, and shapes of shards by the parameters' paths."""
  import toy

  program = toy.program(
    "clm",
    optimizer=optimizer.OptimizerOptions(learning_rate=3e-3, warmup=0.2),
    length=LENGTH,
    mesh=tuple(mesh.items()),
    **RICH,
  )
  state = toy.initial(program)
  losses = []
  for number in range(STEPS):
    rows = program.place_rows(toy.rows_for(program, number))
    fraction = (number + 1) / STEPS
    state, metrics = toy.step(program, state, rows, fraction)
    losses.append(float(metrics["loss"]))
  shards = {
    part: {
      jax.tree_util.keystr(path, simple=True, separator="/"): [
        list(leaf.shape),
        list(leaf.addressable_shards[0].data.shape),
      ]
      for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    for part, tree in (
      ("parameters", state.params),
      ("moments", toy.first_moment(state)),
    )
  }
  return {
    "devices": jax.device_count(),
    "losses": losses,
    "rows": list(rows.tokens_BxL.addressable_shards[0].data.shape),
    **shards,
  }


@pytest.fixture(scope="module")
def single():
  """The run in this process, whatever devices it has: one, by default."""
  return run({})


@pytest.fixture(scope="module")
def eight():
  """The runs on eight devices, one for each of MESHES."""
  return devices_apart.on_eight(__file__)


@pytest.mark.parametrize("number", range(len(MESHES)))
def test_eight_devices_give_the_losses_of_one(single, eight, number):
  assert single["devices"] == 1
  assert eight[number]["devices"] == 8
  losses = single["losses"]
  assert losses[-1] < losses[0] - 0.5  # a run that learns
  np.testing.assert_allclose(eight[number]["losses"], losses, atol=1e-5)


def test_data_parallel_devices_hold_whole_parameters_and_a_row_each(eight):
  data = eight[0]
  assert data["rows"] == [1, LENGTH]
  for part in ("parameters", "moments"):
    assert all(whole == shard for whole, shard in data[part].values())


def test_parameters_and_moments_really_are_split(eight):
  mixed = eight[1]
  assert mixed["rows"] == [2, LENGTH]
  blocks = "stack_main/blocks/layer_0/"
  expected = {
    "embedder_main/embedding": ([98, 32], [49, 16]),
    "output_main/embedding": ([98, 32], [49, 16]),
    "output_main/bias": ([98], [49]),
    f"{blocks}attention/query/kernel": ([32, 32], [16, 16]),
    f"{blocks}attention/key/kernel": ([32, 16], [16, 8]),
    f"{blocks}attention/out/kernel": ([32, 32], [16, 16]),
    f"{blocks}feedforward/up/kernel": ([32, 64], [16, 32]),
    f"{blocks}feedforward/gate/bias": ([64], [32]),
    f"{blocks}feedforward/down/kernel": ([64, 32], [32, 16]),
    f"{blocks}attention_norm/scale": ([32], [32]),
  }
  for part in ("parameters", "moments"):
    for path, (whole, shard) in expected.items():
      assert mixed[part][path] == [whole, shard], (part, path)
  kernels = {
    path: pair
    for path, pair in mixed["parameters"].items()
    if path.endswith("kernel")
  }
  assert all(np.prod(a) == 4 * np.prod(b) for a, b in kernels.values())


if __name__ == "__main__":
  print(json.dumps([run(mesh) for mesh in MESHES]))
