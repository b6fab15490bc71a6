"""What it costs to split a step over devices, and what they exchange.

    python -m benchmarks.scale
    pip install 'libtpu==0.0.42.*' && python -m benchmarks.scale --tpu

Time and memory are those of 1, 2, 4 and 8 simulated devices that share this
machine's cores: the work is the same, so what is over the time of one is the
price of splitting. With --tpu the step is compiled for the topology of a TPU
(which needs its compiler, libtpu of the version that jax wants, and no TPU),
and the collectives are read off what XLA made of it, beside those of
`doctor --plan`. On a CPU, XLA makes others (docs/distributed.md).
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
import statistics
from collections.abc import Iterator
from typing import Any
from unittest import mock

import numpy as np

from benchmarks import peers, train_step

DEVICES = (1, 2, 4, 8)
AXES = ("data", "fsdp", "tensor")
SMALL = dataclasses.replace(train_step.CASES["clm"], heads=8, vocabulary=512)
# What is compiled for a TPU: few layers, or it would take minutes.
LARGE = dataclasses.replace(
  SMALL, layers=4, width=768, heads=12, vocabulary=50_304, batch=32, length=1024
)
TOPOLOGIES = (
  ("v5e:2x4", {"data": 8}, 32),
  ("v5e:2x4", {"fsdp": 8}, 32),
  ("v5e:2x4", {"data": 2, "fsdp": 4}, 32),
  ("v5e:2x4", {"data": 4, "tensor": 2}, 32),
  ("v5e:16x16", {"data": 8, "fsdp": 32}, 512),
)


def make(count: int, axis: str) -> tuple[dict[str, Any], Any]:
  """A step on so many simulated devices along one axis of the mesh."""
  flags = os.environ.get("XLA_FLAGS", "")
  flags += f" --xla_force_host_platform_device_count={count}"
  os.environ |= {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
  from lm_jax.devices import memory

  memory.keep_freed_memory()
  from lm_jax.devices import sharding
  from lm_jax.training import program

  plan = train_step.make_plan("clm", SMALL)
  mesh = sharding.make_mesh({axis: count})
  compiled = program.compile_plan(dataclasses.replace(plan, mesh=mesh))
  rows = compiled.place_rows(train_step.make_rows(SMALL))
  box = [compiled.initial(np.uint32(0))]
  losses = []

  def step() -> None:
    box[0], metrics = compiled.step(box[0], rows, np.float32(0.5))
    losses.append(float(metrics["loss"]))

  step()
  analysis = compiled.step.memory_analysis()
  held = analysis.argument_size_in_bytes + analysis.temp_size_in_bytes
  return {"loss": losses[0], "device": held}, step


def simulated(rounds: int) -> Iterator[str]:
  """Lines of a Markdown table.

  Raises:
    ValueError: the losses differ.
  """
  case = SMALL
  yield from (
    f"clm, {case.layers} x {case.width}, vocabulary {case.vocabulary}, batch"
    f" {case.batch} x {case.length}, float32, on simulated devices that share"
    " the cores: what a",
    "step takes by the time of one device, and what a device holds.",
    "",
    "| devices | along | a step | by one | a device holds |",
    "|--:|---|--:|--:|--:|",
  )
  for axis in AXES:
    sides = [peers.Contestant(make, count, axis) for count in DEVICES]
    losses = [side.facts["loss"] for side in sides]
    if max(losses) - min(losses) > 1e-4:
      raise ValueError(f"{axis}: the losses differ: {losses}")
    times = peers.take_turns(sides, rounds, 2)
    for side in sides:
      side.stop()
    one = statistics.median(times[0])
    for count, side, found in zip(DEVICES, sides, times, strict=True):
      yield (
        f"| {count} | {axis} | {peers.spread(found)}"
        f" | {statistics.median(found) / one:.2f}"
        f" | {side.facts['device'] / 2**20:.0f} MiB |"
      )


def compile_for(
  topology: str, sizes: dict[str, int], batch: int
) -> tuple[dict[str, Any], Any]:
  """The facts: bytes that a chip exchanges, as compiled and as planned."""
  os.environ |= {
    "JAX_PLATFORMS": "cpu",
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_ACCELERATOR_TYPE": f"v5litepod-{int(np.prod([*sizes.values()]))}",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_WORKER_ID": "0",
  }
  import jax
  from jax.experimental import topologies
  from jax.sharding import AxisType, Mesh

  from lm_jax.planning import compiled, plan
  from lm_jax.training import program
  from lm_jax.types import MESH_AXES

  case = dataclasses.replace(LARGE, batch=batch)
  made = train_step.make_plan("clm", case, attention="plain", dtype="bfloat16")
  described = topologies.get_topology_desc(topology, "tpu")
  shape = [sizes.get(axis, 1) for axis in MESH_AXES]
  chips = np.array(described.devices).reshape(shape)
  made = dataclasses.replace(
    made,
    mesh=Mesh(chips, MESH_AXES, axis_types=(AxisType.Auto,) * len(MESH_AXES)),
  )
  # The code asks for the backend where a CPU wants something else.
  with mock.patch.object(jax, "default_backend", return_value="tpu"):
    whole = program.Program(made)
    fraction = jax.ShapeDtypeStruct((), np.float32)
    step = whole._step.lower(whole.abstract, whole._rows, fraction).compile()
    planned = plan.from_program(whole)
  return {
    "found": compiled.collectives(step.as_text(), chips.size),
    "planned": [
      (item.kind, item.what, item.chips, item.size)
      for item in planned.collectives
    ],
  }, None


def on_tpu() -> Iterator[str]:
  """Lines of a Markdown section."""
  case = LARGE
  yield (
    f"clm, {case.layers} x {case.width}, vocabulary {case.vocabulary:,}, rows"
    f" of {case.length:,}, bfloat16, compiled for a TPU v5e: MB that a chip"
    " gathers or reduces in a step."
  )
  for topology, sizes, batch in TOPOLOGIES:
    side = peers.Contestant(compile_for, topology, sizes, batch)
    side.stop()
    mesh = ",".join(f"{axis}={size}" for axis, size in sizes.items())
    yield from (
      "",
      f"{topology}, --mesh={mesh}, {batch} rows:",
      "",
      "| planned | MB | compiled | MB | |",
      "|---|--:|---|--:|--:|",
      *_beside(side.facts["planned"], dict(side.facts["found"])),
    )


def _beside(
  planned: list[tuple[str, str, int, int]], found: dict[str, int]
) -> Iterator[str]:
  """Rows of what is planned and what was compiled for it, and of the rest.

  A reduce-scatter is compiled as an all-reduce whose result is cut, or as
  permutations that overlap with the product before; those are
  added up.
  """
  for kind, what, chips, size in planned:
    key = f"{kind} of {chips}"
    if kind == "reduce-scatter":
      permuted, reduced = "collective-permute of 2", f"all-reduce of {chips}"
      key = permuted if permuted in found else reduced
    given = found.pop(key, 0)
    yield (
      f"| {kind} of {chips}: {what} | {size / 1e6:.1f} | {key}"
      f" | {given / 1e6:.1f} | {given / size:.2f} |"
    )
  for key, size in found.items():
    if size > 1e5:  # Sums of a loss's parts are a few bytes.
      yield f"| | | {key} | {size / 1e6:.1f} | |"


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=3)
  parser.add_argument(
    "--tpu", action="store_true", help="what is compiled for TPUs"
  )
  options = parser.parse_args()
  if options.tpu and importlib.util.find_spec("libtpu") is None:
    parser.error("--tpu: needs libtpu, which is not installed")
  for line in on_tpu() if options.tpu else simulated(options.rounds):
    print(line, flush=True)


if __name__ == "__main__":
  main()
