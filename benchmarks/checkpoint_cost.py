"""What saving costs a run: with checkpoints against without, in turn.

    python -m benchmarks.checkpoint_cost --sizes=nano,tiny,small

Whole runs with the defaults of `train` (batch 32 x 128, a checkpoint every 200
steps), clm on random tokens, in one process: the compiled step is the same.
Each pair of runs is made in random order; what is reported is the median of the
ratios, of the wall clock (the target is at most 1.03) and of the processors'
time, which a machine that is busy with other things disturbs less. How long
`save` itself keeps the loop is told apart from what is written meanwhile.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from typing import Any

import numpy as np

TARGET = 1.03


def make_program(size: str, batch: int, length: int, vocabulary: int) -> Any:
  """The program of a size, as `train` compiles it."""
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  from lm_jax.config import Config
  from lm_jax.training import assemble
  from lm_jax.types import Specials

  class Vocabulary:
    vocabulary_size = vocabulary
    specials = Specials()

  config = Config(size=size, length=length, batch_size=batch)
  return config, assemble.make_program(config, Vocabulary())


def run(config: Any, program: Any, steps: int, interval: int) -> dict[str, Any]:
  """One run: its seconds, those of the processors, those of saves; bytes."""
  import pathlib

  import jax

  from lm_jax.config.budget import Budget, Ledger
  from lm_jax.storage.checkpoint import Checkpoints
  from lm_jax.training import events, train
  from lm_jax.training.interruption import Interruption
  from lm_jax.types import Rows

  plan = program.plan
  rng = np.random.default_rng(0)
  shape = (plan.batch_size, plan.spec.length)
  ones = np.ones(shape, np.int32)
  tokens = rng.integers(8, plan.spec.vocabulary, shape, dtype=np.int32)
  rows = Rows(tokens, ones, 0 * ones, 0 * ones, ones)
  state = jax.block_until_ready(program.initial(np.uint32(0)))
  nbytes = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
  blocked: list[float] = []
  with (
    tempfile.TemporaryDirectory() as folder,
    Interruption() as interruption,
  ):
    checkpoints = Checkpoints(pathlib.Path(folder, "checkpoints"))

    def save(state, ledger, evaluated):
      if not interval:
        return
      begin = time.perf_counter()
      checkpoints.save(ledger.steps, state, {}, evaluated)
      blocked.append(time.perf_counter() - begin)

    begin, busy = time.perf_counter(), time.process_time()
    train.fit(
      program,
      state,
      Ledger(),
      iter(lambda: rows, None),
      Budget("steps", steps),
      events.Intervals(10, 0, interval),
      events.Hooks(lambda *_: None, lambda _: {}, save),
      interruption,
      progress=False,
    )
    # Until the last one is on disk: it is part of the run.
    checkpoints.close()
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
  return {
    "seconds": seconds,
    "busy": busy,
    "blocked": blocked,
    "bytes": nbytes,
  }


def compare(size: str, pairs: int, steps: int, options: Any) -> float:
  """Prints a line for the size, and returns the ratio."""
  config, program = make_program(
    size, options.batch_size, options.length, options.vocabulary
  )
  interval = options.interval or config.checkpoint_every
  run(config, program, 2, 1)  # compiles
  ratios, busy, times, blocked = [], [], [], []
  for number in range(pairs):
    order = [interval, 0]
    random.Random(number).shuffle(order)
    found = {each: run(config, program, steps, each) for each in order}
    ratios.append(found[interval]["seconds"] / found[0]["seconds"])
    busy.append(found[interval]["busy"] / found[0]["busy"])
    times.append(found[0]["seconds"] / steps)
    blocked += found[interval]["blocked"]
  ratio = statistics.median(ratios)
  print(
    f"{size}: state {found[0]['bytes'] / 1e6:.1f} MB, step"
    f" {1e3 * statistics.median(times):.1f} ms, {steps} steps, a save every"
    f" {interval}: ratio {ratio:.3f}"
    f" ({min(ratios):.3f} to {max(ratios):.3f}, {pairs} pairs), of"
    f" processors' time {statistics.median(busy):.3f}; a save keeps"
    f" the loop for {1e3 * statistics.median(blocked):.0f} ms",
    flush=True,
  )
  return ratio


def main() -> int:
  parser = argparse.ArgumentParser()
  parser.add_argument("--sizes", default="nano,tiny,small")
  parser.add_argument("--pairs", type=int, default=3)
  parser.add_argument("--steps", type=int, default=400)
  parser.add_argument("--interval", type=int, default=0, help="the default's")
  # As `train` has them.
  parser.add_argument("--batch_size", type=int, default=32)
  parser.add_argument("--length", type=int, default=128)
  parser.add_argument("--vocabulary", type=int, default=4096)
  options = parser.parse_args()
  ratios = [
    compare(size, options.pairs, options.steps, options)
    for size in options.sizes.split(",")
  ]
  worst = max(ratios)
  print(f"worst {worst:.3f}, target {TARGET}")
  return int(worst > TARGET)


if __name__ == "__main__":
  raise SystemExit(main())
