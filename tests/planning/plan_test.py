"""Plans against numbers by hand, and against what XLA compiles.

The programs of eight simulated devices are compiled by this file as a script.
"""

import dataclasses
import json

import devices_apart
import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AbstractMesh

from lm_jax import cli
from lm_jax.planning import chips, plan, residuals
from lm_jax.planning import compiled as compiled_lib
from lm_jax.planning.traffic import Collective
from lm_jax.training.program import Program
from lm_jax.types import MESH_AXES

MESHES = (
  {"data": 8},
  {"fsdp": 8},
  {"data": 2, "fsdp": 4},
  {"data": 4, "tensor": 2},
)
LAYERS, WIDTH, ROWS, LENGTH, VOCABULARY = 2, 64, 16, 128, 1024
LAYER = 12 * WIDTH**2  # kernels of a layer; norms are 2 x 2 x WIDTH
TABLE = VOCABULARY * WIDTH
KERNELS = TABLE + LAYERS * LAYER
NORMS = (4 * LAYERS + 2) * WIDTH


# On a chip of four that share a batch.
STATES = 4 * ROWS // 4 * LENGTH * WIDTH


def program(mesh, dtype="float32"):
  import toy

  return toy.program(
    "clm",
    length=LENGTH,
    batch=ROWS,
    mesh=tuple(mesh.items()),
    layers=LAYERS,
    width=WIDTH,
    feedforward=4 * WIDTH,
    heads=4,
    vocabulary=VOCABULARY,
    dtype=dtype,
  )


def abstract(mesh, dtype="float32"):
  """The program of a mesh without devices."""
  sizes = tuple(mesh.get(axis, 1) for axis in MESH_AXES)
  one = program({}, dtype).plan
  return Program(dataclasses.replace(one, mesh=AbstractMesh(sizes, MESH_AXES)))


def compiled(mesh):
  """Bytes of what the step's collectives give: by kind and by group."""

  made = program(mesh)
  fraction = jax.ShapeDtypeStruct((), jnp.float32)
  step = made._step.lower(made.abstract, made._rows, fraction).compile()
  return compiled_lib.collectives(step.as_text(), 8)


@pytest.fixture(scope="module")
def eight():
  """What is compiled for each of MESHES."""
  return devices_apart.on_eight(__file__)


def sizes(mesh):
  paper = plan.from_program(abstract(mesh))
  return {f"{c.kind} of {c.chips}, {c.what}": c.size for c in paper.collectives}


def test_sizes_by_hand():
  # float32; the table's gradient is reduced once for each of its two uses.
  whole = 4 * (KERNELS + TABLE + NORMS)
  assert list(sizes({"data": 8}).values()) == [whole]
  fsdp = sizes({"data": 2, "fsdp": 4})
  gather, scatter, shard, rest = fsdp.values()
  assert gather == 2 * 4 * KERNELS  # forward and backward
  assert scatter == 4 * (KERNELS - TABLE)
  assert shard == scatter // 4
  assert rest == 4 * (2 * TABLE + NORMS)
  tensor = sizes({"data": 4, "tensor": 2})
  # Embedding and vocabulary; of a layer, two forward and two backward.
  assert tensor["all-reduce of 2, activations"] == STATES * (2 + 4 * LAYERS)


def test_bytes_of_bfloat16_by_hand():
  low = plan.from_program(abstract({"data": 2, "fsdp": 4}, "bfloat16"))
  gather, scatter, shard, rest = (c.size for c in low.collectives)
  assert gather == 2 * 2 * KERNELS
  assert scatter == 2 * (KERNELS - TABLE) == 4 * shard
  # A table's gradient has the dtype of the states that it gave, or of logits.
  assert rest == (2 + 4) * TABLE + 4 * NORMS


def test_bytes_sent_by_hand():
  def sent(kind, count):
    return Collective(kind, "", ("data",), count, 1200).sent

  assert sent("all-gather", 4) == sent("reduce-scatter", 4) == 900
  assert sent("all-reduce", 4) == 1800
  assert sent("all-reduce", 1) == 0


def test_memory_by_hand():
  paper = plan.from_program(abstract({"data": 2, "fsdp": 4}))
  own = 4 * (KERNELS // 4 + NORMS)
  assert paper.memory["parameters"] == paper.memory["gradients"] == own
  assert paper.memory["optimizer"] == pytest.approx(2 * own, abs=64)
  assert paper.memory["gathered parameters"] == 2 * 4 * TABLE
  # Attention holds at least its weights, T x T, for each of two rows a chip.
  assert paper.memory["activations"] > 4 * 2 * LAYERS * 4 * LENGTH**2


def test_residuals_by_hand():
  def loss(w_DxF, x_NxD):
    return jnp.sum(jnp.tanh(x_NxD @ w_DxF))

  w, x = (jax.ShapeDtypeStruct(s, jnp.float32) for s in ((3, 5), (7, 3)))
  # Of tanh, which its derivative is made from; x and w are there anyhow.
  assert residuals.residuals(loss, w, x) in (4 * 7 * 5, 2 * 4 * 7 * 5)


@pytest.mark.parametrize("number", [1, 2])
def test_fsdp_is_what_xla_compiles(eight, number):
  found, mesh = eight[number], MESHES[number]
  fsdp, data = mesh["fsdp"], mesh.get("data", 1)
  gathered, scattered, *_, rest = sizes(mesh).values()
  # On a CPU, XLA gathers once and keeps the parameters for the backward pass;
  # and it has no reduce-scatter.
  expected = {f"all-gather of {fsdp}": gathered / 2, "all-reduce of 8": rest}
  if data > 1:
    expected[f"all-reduce of {data}"] = scattered / fsdp
    expected[f"all-reduce of {fsdp}"] = scattered
  else:
    expected["all-reduce of 8"] += scattered
  assert found == pytest.approx(expected, rel=0.1)  # nothing else


def test_data_parallel_is_what_xla_compiles(eight):
  (expected,) = sizes(MESHES[0]).values()
  assert eight[0] == {"all-reduce of 8": pytest.approx(expected, rel=0.1)}


def test_tensor_parallel_is_what_xla_compiles(eight):
  gradients, activations = sizes(MESHES[3]).values()
  # On a CPU, XLA reduces what goes back from query, key and value one by one.
  activations += 2 * LAYERS * STATES
  assert eight[3]["all-reduce of 2"] == pytest.approx(activations, rel=0.1)
  assert eight[3]["all-reduce of 4"] == pytest.approx(gradients, rel=0.1)
  assert set(eight[3]) <= {
    "all-reduce of 2",
    "all-reduce of 4",
    "all-reduce of 8",
  }


@pytest.mark.parametrize(
  ("call", "key", "size"),
  [
    ("(f32[2,3]{1,0}, f32[]) all-reduce(%x, %y), to_apply=%a", "8", 28),
    (
      "bf16[4,2]{1,0:T(8,128)(2,1)S(1)} all-reduce(%x),"
      " replica_groups={{0,1,2,3},{4,5,6,7}}, c",
      "4",
      16,
    ),
    ("pred[5] all-reduce-start(%x), replica_groups=[4,2]<=[8],", "2", 5),
    (
      "s32[] all-reduce(%x), replica_groups=mesh['axis_0'=4,'axis_1'=2],"
      " device_ids=([2,4]T(1,0)) {'axis_0'}, x",
      "4",
      4,
    ),
  ],
)
def test_collectives_are_read_off(call, key, size):
  text = f"  %a.1 = {call}\n  %b = f32[9] add(%all-reduce.1, %c)"
  found = compiled_lib.collectives(text, 8)
  assert found == {f"all-reduce of {key}": size}


def test_time_by_hand():
  chip = chips.Chip(1e12, 1e9, 100.0, 8, 10.0)
  near = Collective("all-gather", "", ("fsdp",), 4, 400)
  far = Collective("all-reduce", "", ("data",), 4, 400)
  mesh = {"data": 4, "fsdp": 4, "tensor": 1}
  paper = plan.Paper(mesh, 1, {"parameters": 4}, 16 * 10**12, (near, far))
  assert paper.compute(chip) == 1.0
  # 300 bytes over fast links, and 600 over the network.
  assert paper.communication(chip) == 300 / 100 + 600 / 10


def test_doctor_prints_a_plan(capsys):
  flags = ["--size=tiny", "--length=128", "--dtype=bfloat16"]
  argv = ["doctor", "--plan", *flags, "--mesh=data=8,fsdp=32,tensor=1"]
  assert cli.main(argv) == 0
  out = capsys.readouterr().out
  assert "plan: 256 x tpu_v5p, --mesh=data=8,fsdp=32,tensor=1" in out
  for word in ("optimizer", "reduce-scatter", "model FLOPs", "efficiency"):
    assert word in out
  assert "WARNING" not in out
  argv = ["doctor", "--plan", *flags, "--chip=tpu_v5e", "--batch_size=2097152"]
  assert cli.main(argv) == 0
  assert "WARNING: does not fit" in capsys.readouterr().out


@pytest.mark.parametrize(
  ("argv", "message"),
  [
    (["--chip=h100"], "--chip: is for a plan; give --plan, too"),
    (["--plan", "--chip=h1000"], "did you mean h100"),
    (["--plan", "--chips=0"], "--chips=0: must be at least 1"),
    (["--plan", "--mesh=data=8"], "takes 8 devices, there are 256"),
    (["--plan", "--batch_size=100"], "must divide the 100 rows"),
  ],
)
def test_a_plan_that_cannot_be(argv, message, capsys):
  assert cli.main(["doctor", *argv]) == 2
  err = capsys.readouterr().err
  assert message in err and err.count("\n") == 1


if __name__ == "__main__":
  print(json.dumps([compiled(mesh) for mesh in MESHES]))
