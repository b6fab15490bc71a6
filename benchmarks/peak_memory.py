"""The most memory that a training step takes, against Transformers' GPT-2.

    pip install -e '.[compare]' && python -m benchmarks.peak_memory

clm, 12 layers x 768, vocabulary 50,000, batch 16 x 1,024, float32, AdamW and
clipping on both sides, from the same parameters (ours, exported) and tokens.
Each runs alone, in a process of its own, and its peak is what the kernel
counts as resident: the process and all that it loaded. A process that the
machine had no memory for is told as such.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import pathlib
import signal
import tempfile
from typing import Any

import numpy as np

from benchmarks import _transformers_train as theirs_lib
from benchmarks import peers, train_step

CASE = dataclasses.replace(
  train_step.CASES["clm"],
  layers=12,
  width=768,
  heads=12,
  vocabulary=50_000,
  batch=16,
  length=1024,
)
REMATS = ("none", "dots", "full")
STEPS = 2


def go_first() -> None:
  """If memory runs out, it is this process that ends, not another."""
  pathlib.Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def peak(pid: int) -> int:
  """Bytes: the most that was resident of a process so far."""
  status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
  line = next(x for x in status.splitlines() if x.startswith("VmHWM"))
  return 1024 * int(line.split()[1])


def make_ours(case: Any, remat: str) -> tuple[dict[str, Any], Any]:
  """A step of lm_jax as the command line sets it up."""
  go_first()
  from lm_jax.devices import memory

  memory.keep_freed_memory()
  watch = memory.Watch()
  import jax

  compiled = _compiled(case, remat)
  rows = compiled.place_rows(train_step.make_rows(case))
  box = [compiled.initial(np.uint32(0))]
  losses = []

  def step() -> None:
    box[0], metrics = compiled.step(box[0], rows, np.float32(0.5))
    losses.append(float(metrics["loss"]))
    watch.look()

  step()
  return {"loss": losses[0], "version": f"jax {jax.__version__}"}, step


def make_theirs(
  directory: str, problem: dict[str, np.ndarray], mode: str
) -> tuple[dict[str, Any], Any]:
  go_first()
  rate = train_step.LEARNING_RATE
  return theirs_lib.make("clm", directory, problem, mode, rate, warm=1)


def write(case: Any, directory: str) -> tuple[dict[str, Any], Any]:
  """Writes the model that both start from; the facts have its problem."""
  import jax

  compiled = _compiled(case, "none")
  rows = compiled.place_rows(train_step.make_rows(case))
  key = jax.random.key(0)
  plan = compiled.plan
  problem = plan.objective.make(key, rows, plan.spec)
  params = compiled.initial(np.uint32(0)).params
  train_step.write("clm", compiled, params, directory)
  found = train_step.arrays("clm", plan, problem, params)
  return {"problem": found}, None


def _compiled(case: Any, remat: str) -> Any:
  from lm_jax.training import program

  plan = train_step.make_plan("clm", case, remat=remat)
  return program.compile_plan(plan)


def measure(case: Any, remats: tuple[str, ...]) -> list[dict[str, Any]]:
  """Of each side its name, loss, peak in bytes and seconds of a step.

  Those of a process that ran out of memory are None.

  Raises:
    ValueError: the losses differ.
  """
  found = []
  with tempfile.TemporaryDirectory() as folder:
    directory = f"{folder}/model"
    writer = peers.Contestant(write, case, directory)
    problem = writer.facts["problem"]
    writer.stop()
    sides: list[tuple[str, Any, tuple]] = [
      (f"lm_jax, --trunk.remat={remat}", make_ours, (case, remat))
      for remat in remats
    ]
    for mode in theirs_lib.MODES:
      name = {"eager": "PyTorch, eager", "compiled": "PyTorch, torch.compile"}
      sides.append((name[mode], make_theirs, (directory, problem, mode)))
    for name, make, args in sides:
      found.append({"name": name, **_alone(make, args)})
  losses = [side["loss"] for side in found if side["loss"] is not None]
  if max(losses) - min(losses) > 1e-4 * max(losses):
    raise ValueError(f"the losses differ: {losses}")
  return found


def _alone(make: Any, args: tuple) -> dict[str, Any]:
  """One side's loss, peak and times."""
  nothing = {"loss": None, "peak": None, "times": None}
  try:
    contestant = peers.Contestant(make, *args)
    times = contestant.run(STEPS)
  except peers.Ended as ended:
    if ended.exitcode != -signal.SIGKILL:
      raise
    return nothing  # The kernel ended it.
  most = peak(contestant.pid)
  contestant.stop()
  return {"loss": contestant.facts["loss"], "peak": most, "times": times}


def told(case: Any, found: list[dict[str, Any]]) -> list[str]:
  """The lines of a Markdown section."""
  memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
  lines = [
    f"clm: {case.layers} layers x {case.width}, vocabulary"
    f" {case.vocabulary:,}, batch {case.batch} x {case.length:,}; loss"
    f" {found[0]['loss']:.5f} on all that ran.",
    "",
    "| | peak | a step, least of two |",
    "|---|--:|--:|",
  ]
  for side in found:
    if side["peak"] is None:
      shown = f"more than the machine's {memory:.0f} GiB | "
    else:
      shown = f"{side['peak'] / 2**30:.1f} GiB | {min(side['times']):.1f} s"
    lines.append(f"| {side['name']} | {shown} |")
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--batch", type=int, default=CASE.batch)
  parser.add_argument("--remat", action="append", choices=REMATS)
  options = parser.parse_args()
  case = dataclasses.replace(CASE, batch=options.batch)
  remats = tuple(options.remat or REMATS)
  print("\n".join(told(case, measure(case, remats))))


if __name__ == "__main__":
  main()
