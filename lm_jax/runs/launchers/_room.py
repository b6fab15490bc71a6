"""The room for runs on this machine: processors and memory for each."""

from __future__ import annotations

import os
import pathlib

from lm_jax.runs.launchers.base import Batch
from lm_jax.support import machine
from lm_jax.support.errors import UsageError

# Model FLOPs of a step, for each processor, up to which several processes with
# a processor each are faster than one with all: the largest step that was
# measured (docs/speed.md).
_SMALL_STEP = 35e9
# Bytes of a process that has compiled a small model, and by how much what XLA
# needs for activations is more than what the backward pass reads.
_PROCESS, _WORKING = 1.1 * 2**30, 1.5
# Share of the free memory that runs may use.
_MOST = 0.9


def fastest(batch: Batch) -> int:
  """Returns how many runs at a time take the least time in all.

  As many as there are processors where a step is small and memory suffices;
  else one, which has them all.
  """
  import jax

  cores = machine.cores()
  if cores < 2 or len(batch.runs) < 2 or jax.default_backend() != "cpu":
    return 1
  flops, memory = zip(*map(_needs, _arms(batch)), strict=True)
  if max(flops) > _SMALL_STEP * cores:
    return 1
  return max(1, min(cores, int(_MOST * _free() / max(memory))))


def require(batch: Batch) -> None:
  """Raises UsageError if --parallel asks for more than there is room for."""
  import jax

  flag, cores = f"--parallel={batch.parallel}", machine.cores()
  if batch.parallel > cores:
    raise UsageError(
      f"{flag}: each process needs a processor of its own, and there are"
      f" {cores}; at most {cores}"
    )
  backend = jax.default_backend()
  if backend != "cpu":
    raise UsageError(
      f"{flag}: processes share processors, not the memory of a {backend};"
      " --parallel=1, or a scheduler that gives each run a device of its own"
    )
  need, free = max(memory for _, memory in map(_needs, _arms(batch))), _free()
  if batch.parallel * need > _MOST * free:
    raise UsageError(
      f"{flag}: {batch.parallel} processes of about {need / 2**30:.1f} GiB need"
      f" more than the memory that is free, {free / 2**30:.1f} GiB; at most"
      f" {max(1, int(_MOST * free / need))}"
    )


def shares(count: int) -> list[list[int]]:
  """Divides this process's processors among others; [] where it can't know."""
  if not hasattr(os, "sched_getaffinity"):
    return [[]] * count
  own = sorted(os.sched_getaffinity(0))
  return [own[i::count] for i in range(count)]


def memory_of_each(count: int) -> int:
  """Returns the bytes that each of several processes may use."""
  return int(_MOST * _free() / count)


def _arms(batch: Batch) -> list[Batch]:
  """Picks one run of each arm."""
  own = {run.config.arm: run for run in batch.runs}
  return list(own.values())  # type: ignore[arg-type]


def _needs(run) -> tuple[float, float]:
  """Returns the model FLOPs of a step of a run, and the bytes it needs."""
  from lm_jax.planning import plan

  paper = plan.make(run.config, 1)
  return paper.flops, _PROCESS + _WORKING * sum(paper.memory.values())


def _free() -> float:
  """Returns the bytes of memory that are free, of this machine or group."""
  known = []
  for path, name in (
    ("/proc/meminfo", "MemAvailable:"),
    ("/sys/fs/cgroup/memory.max", ""),
  ):
    file = pathlib.Path(path)
    if not file.exists():
      continue
    for line in file.read_text("utf-8", errors="replace").splitlines():
      number = line.removeprefix(name).split()
      if line.startswith(name) and number and number[0].isdecimal():
        known.append(int(number[0]) * (1024 if name else 1))
  return float(min(known, default=8 * 2**30))
