"""Seeds of a small model: one after another, in processes, or in one step.

    python -m benchmarks.together
    python -m benchmarks.together --case=nano --objective=mlm --seeds=2
    python -m benchmarks.together --case=tiny --case=small --seeds=0

The peers are what a user would do otherwise: runs one after another with all
processors, and a process for each processor. All take turns; a step is counted
by the run, whatever else goes along. Processor time says more than a clock
where others use the machine, too.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks import peers

# Settings by name: what `compare` runs by default, less, and more.
CASES: dict[str, dict[str, Any]] = {
  "nano": {"size": "nano", "batch_size": 8, "length": 128},
  "nano, half of the rows": {"size": "nano", "batch_size": 8, "length": 64},
  "width 32": {"size": "nano", "batch_size": 4, "length": 32},
  "nano, batch 32": {"size": "nano", "batch_size": 32, "length": 128},
  "tiny": {"size": "tiny", "batch_size": 8, "length": 128},
  "tiny, batch 32": {"size": "tiny", "batch_size": 32, "length": 128},
  "small": {"size": "small", "batch_size": 8, "length": 128},
}
TRUNKS: dict[str, dict[str, Any]] = {
  "nano": {"layers": 3},
  "nano, half of the rows": {"layers": 3},
  "width 32": {"layers": 2, "width": 32, "feedforward": 128},
}
# Cases that are run without --case, in which steps are small.
SMALL = tuple(TRUNKS)
OBJECTIVES = ("clm", "mlm", "rtd", "permutation_lm")
SEEDS = (2, 4, 8)
# Of a turn.
_SECONDS = 0.6


def make(
  case: str, objective: str, seeds: int, core: int | None
) -> tuple[dict[str, Any], Any]:
  """Makes a step of one run, or of several seeds together.

  Args:
    core: the processor to stay on; None leaves it all of them.
  """
  if core is not None:
    os.sched_setaffinity(0, {core})
  import jax
  import numpy as np

  from lm_jax import config as config_lib
  from lm_jax.config import Config
  from lm_jax.data import rows as rows_lib
  from lm_jax.training.assemble import make_program
  from lm_jax.training.seed_batch import Request, SeedBatch, take_alone

  settings = {
    **CASES[case],
    "trunk": TRUNKS.get(case, {}),
    "budget": "steps:1000",
  }
  config = config_lib.with_packing(Config(objective=objective, **settings))
  dataset = rows_lib.load(config.data, config.length)
  program = make_program(config, dataset)
  requests = {
    seed: Request(
      program.initial(np.uint32(seed), np.uint32(seed)),
      dataset.batch(seed, 0, config.batch_size),
      np.float32(0.5),
    )
    for seed in range(seeds)
  }
  batch = SeedBatch(program, seeds)

  def step() -> None:
    if seeds > 1:
      answers = batch.step(requests)
    else:
      answers = {0: take_alone(program, requests[0])}
    for seed, (state, metrics) in answers.items():
      requests[seed] = requests[seed]._replace(state=state)
      jax.block_until_ready(metrics)

  step()
  return {"flops": program.flops}, step


class Way(NamedTuple):
  """Processes that go on at once, each with so many seeds."""

  name: str
  seeds: int
  contestants: list[peers.Contestant]

  def run(self) -> tuple[list[float], float]:
    """Runs a turn.

    Returns:
      the seconds of each step of one run, and their mean processor time.
    """
    first = max(peers.at_once(self.contestants, 1))
    steps = max(3, int(_SECONDS / first))
    before = self._used()
    times = peers.at_once(self.contestants, steps)
    runs = self.seeds * len(self.contestants)
    used = (self._used() - before) / (steps * runs)
    return [seconds / runs for seconds in times], used

  def _used(self) -> float:
    """Returns the processor time of all processes so far, in seconds."""
    ticks = 0
    for contestant in self.contestants:
      stat = pathlib.Path(f"/proc/{contestant.pid}/stat").read_text("utf-8")
      user, system = stat.rpartition(")")[2].split()[11:13]
      ticks += int(user) + int(system)
    return ticks / os.sysconf("SC_CLK_TCK")


def compare(
  case: str, objective: str, seeds: Sequence[int], rounds: int
) -> dict[str, tuple[float, float]]:
  """Times all ways in turns.

  Returns:
    median seconds of a step of one run, and processor time, by way.
  """
  cores = sorted(os.sched_getaffinity(0))

  def made(count: int, core: int | None = None) -> peers.Contestant:
    return peers.Contestant(make, case, objective, count, core)

  ways = [
    Way("alone", 1, [made(1)]),
    Way("processes", 1, [made(1, core) for core in cores]),
    *(Way(f"{count} together", count, [made(count)]) for count in seeds),
  ]
  clock: dict[str, list[float]] = {way.name: [] for way in ways}
  used: dict[str, list[float]] = {way.name: [] for way in ways}
  for _ in range(rounds):
    for way in ways:
      time.sleep(0.3)
      times, processor = way.run()
      clock[way.name] += times
      used[way.name].append(processor)
  for way in ways:
    for contestant in way.contestants:
      contestant.stop()
  return {
    name: (statistics.median(times), statistics.median(used[name]))
    for name, times in clock.items()
  }


def told(
  case: str, objectives: Sequence[str], seeds: Sequence[int], rounds: int
) -> list[str]:
  """Makes the lines of a Markdown table; each row is timed when it is made."""
  names = ["alone", "processes", *(f"{count} together" for count in seeds)]
  lines = [
    f"{case}, batch {CASES[case]['batch_size']} x {CASES[case]['length']}:",
    "",
    f"| | {' | '.join(names)} |",
    "|---|" + "--:|" * len(names),
  ]
  for objective in objectives:
    times = compare(case, objective, seeds, rounds)
    for number, what in enumerate(("", ", processors")):
      values = [times[name][number] for name in names]
      cells = [f"{1e3 * x:.1f} ms ({x / values[0]:.2f})" for x in values]
      lines.append(f"| {objective}{what} | {' | '.join(cells)} |")
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--case", action="append", choices=tuple(CASES))
  parser.add_argument("--objective", action="append", choices=OBJECTIVES)
  parser.add_argument(
    "--seeds", action="append", type=int, help="0: none together"
  )
  parser.add_argument("--rounds", type=int, default=4)
  options = parser.parse_args()
  for case in options.case or SMALL:
    lines = told(
      case,
      options.objective or OBJECTIVES,
      [count for count in options.seeds or SEEDS if count],
      options.rounds,
    )
    print("\n".join(lines), end="\n\n", flush=True)


if __name__ == "__main__":
  main()
