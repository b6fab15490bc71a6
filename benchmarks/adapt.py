"""A training step of each adaptation against one that trains all parameters.

    python -m benchmarks.adapt

Float32, clm, 12 layers x 384, 6 heads, 4,096 tokens of vocabulary, biases,
batch 4 x 128 (packing one text a row); defaults of every method, LoRA and DoRA
on query and value. The steps take turns, so that a busy machine slows all of
them; times are the least of ROUNDS. Memory is what XLA plans for the step, by
`memory_analysis`: arguments and what it holds besides.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Any

import numpy as np

from lm_jax.config import optimizer
from lm_jax.training import plan as plan_lib

LAYERS, WIDTH, HEADS, BATCH, LENGTH, VOCABULARY = 12, 384, 6, 4, 128, 4096
ROUNDS = 8


def make_plan() -> Any:
  from lm_jax.config import budget
  from lm_jax.devices import sharding
  from lm_jax.models.network import Network
  from lm_jax.objectives.clm import CausalLM
  from lm_jax.types import Spec, Specials, Trunk

  trunk = Trunk(
    layers=LAYERS,
    width=WIDTH,
    heads=HEADS,
    feedforward=4 * WIDTH,
    vocabulary=VOCABULARY,
    bias=True,
  )
  return plan_lib.Plan(
    objective=CausalLM(),
    network=Network((("main", trunk),)),
    spec=Spec("causal_decoder", LENGTH, VOCABULARY, Specials()),
    batch_size=BATCH,
    accumulate=1,
    optimizer=optimizer.OptimizerOptions(),
    budget=budget.Budget("steps", 1000),
    mesh=sharding.make_mesh(),
  )


def make_rows() -> Any:
  from lm_jax.types import Rows

  generator = np.random.default_rng(0)
  shape = (BATCH, LENGTH)
  tokens = generator.integers(200, VOCABULARY, shape, dtype=np.int32)
  ones = np.ones_like(tokens)
  return Rows(tokens, ones, ones, ones, ones)


class Step:
  """A program with its state, ready to be timed."""

  def __init__(self, program: Any, base: Any):
    self.program = program.with_held(base)
    self.state = program.initial(np.uint32(0))
    self.rows = program.place_rows(make_rows())
    compiled = program._step.lower(
      program.abstract,
      program._rows,
      np.float32(0.5),
      *self.program._held,
    ).compile()
    memory = compiled.memory_analysis()
    self.bytes = memory.argument_size_in_bytes + memory.temp_size_in_bytes
    self.times: list[float] = []
    self.run()
    self.times.clear()

  def run(self) -> None:
    import jax

    start = time.perf_counter()
    self.state, _ = self.program.step(self.state, self.rows, np.float32(0.5))
    jax.block_until_ready(self.state)
    self.times.append(time.perf_counter() - start)


def main() -> None:
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  import jax

  from lm_jax.adaptation.base import Adaptation
  from lm_jax.support import registry
  from lm_jax.training.program import Program

  plan = make_plan()
  full = Program(plan)
  base = full.initial(np.uint32(1)).params
  steps = {"all parameters": Step(full, base)}
  for name in registry.names("lm_jax.adaptation"):
    cls = registry.find("lm_jax.adaptation", name, Adaptation, "")
    network = plan.network.clone(adaptation=cls())
    program = Program(dataclasses.replace(plan, network=network))
    steps[name] = Step(program, base)
  for _ in range(ROUNDS):
    for step in steps.values():
      step.run()
  print(f"jax {jax.__version__}, {jax.devices()[0].device_kind}")
  head = "trained", "state MB", "step GFLOP", "step MB", "step ms", "of all"
  print(f"{'':16}" + "".join(f"{x:>12}" for x in head))
  whole = min(steps["all parameters"].times)
  for name, step in steps.items():
    state = sum(x.nbytes for x in jax.tree.leaves(step.state))
    best = min(step.times)
    print(
      f"{name:16}{step.program.parameters:12,}{state / 1e6:12.2f}"
      f"{step.program.flops / 1e9:12.1f}{step.bytes / 1e6:12.0f}"
      f"{1e3 * best:12.0f}{best / whole:12.2f}"
    )


if __name__ == "__main__":
  main()
