"""Fine-tuning against PyTorch Transformers' Trainer: speed, and what is learnt.

    python -m benchmarks.finetune speed --model=DIR --task=sst2 --task_data=PATH
    python -m benchmarks.finetune quality --model=DIR --task=sst2 \
        --task_data=PATH --seeds=3

speed: both train the same model on the same examples with the same recipe,
float32, in processes of their own that take turns: ours in packed rows, the
Trainer's batches padded to their longest text. The ratio is that of the
medians of examples a second, over turns.

quality: both fine-tune with every seed, ours by `launch.py finetune`, and are
judged by the same measures on the same test examples; --also=TASK=PATH tests
on further data, --side=lm_jax or --side=Trainer leaves the other out. Both run
on a GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import _transformers_finetune as theirs_lib
from benchmarks import peers
from benchmarks._transformers_finetune import Recipe
from lm_jax.inference import continued, load

STEPS = 8  # of a turn


def _flags(options: argparse.Namespace) -> dict[str, str]:
  flags = {
    "task": options.task,
    "length": str(options.length),
    "batch_size": str(options.batch_size),
    "optimizer.learning_rate": str(options.learning_rate),
  }
  if options.model:
    flags["model"] = options.model
  if options.task_data:
    flags["task_data"] = options.task_data
  if options.train_examples:
    flags["train_examples"] = str(options.train_examples)
  return flags


def _recipe(options: argparse.Namespace) -> Recipe:
  return Recipe(
    options.length,
    options.epochs,
    options.batch_size,
    options.learning_rate,
  )


def _kind(objective: str, fixed: Any) -> Any:
  make = theirs_lib.KINDS[objective]
  return make(fixed["labels"]) if "labels" in fixed else make()


def _examples(options: argparse.Namespace) -> tuple[Any, Any, Any]:
  """The task, its examples for training and choosing, and their kind."""
  from lm_jax.finetuning import dataset, splits

  task = dataset.find_task(options.task)
  found = splits.load(task.name, options.task_data, options.train_examples)
  kind = dataset.find_kind(task.objective)
  fixed = kind.options(task, found[splits.TRAIN])
  return task, found, _kind(task.objective, fixed)


def make_ours(options: argparse.Namespace) -> Any:
  from lm_jax.devices import memory

  memory.keep_freed_memory()  # as the command line does
  import jax
  import numpy as np

  from lm_jax.finetuning import dataset, recipe
  from lm_jax.training.assemble import make_program

  flags = {**_flags(options), "budget": "steps:100000"}
  config = recipe.configured(flags)
  rows = dataset.load(config)
  program = make_program(config, rows)
  params = continued.params_for(config, rows.tokenizer, program)
  import dataclasses

  held = [
    dataclasses.replace(program.initial(np.uint32(0)), params=params),
    0,
  ]
  read: list[int] = []

  def step() -> None:
    count = 0
    for _ in range(STEPS):
      batch = rows.batch(0, held[1], config.batch_size)
      count += int(batch.segment_BxL.max(axis=1).sum())
      held[0], metrics = program.step(
        held[0], program.place_rows(batch), np.float32(0.5)
      )
      held[1] += 1
    jax.block_until_ready(metrics)
    read.append(count)

  step()
  batches = [rows.batch(0, k, config.batch_size) for k in range(64)]
  mean = sum(int(b.segment_BxL.max(axis=1).sum()) for b in batches) / 64
  filled = sum(int((b.segment_BxL > 0).sum()) for b in batches)
  share = filled / sum(b.segment_BxL.size for b in batches)
  return {"examples": mean * STEPS, "filled": share}, step


def make_theirs(options: argparse.Namespace) -> Any:
  import torch

  torch.set_num_threads(options.threads)
  from lm_jax.finetuning import splits

  _, found, kind = _examples(options)
  made = theirs_lib.trainer(
    options.model,
    kind,
    found[splits.TRAIN],
    _recipe(options),
    seed=0,
    steps=STEPS,
  )
  made.args.warmup_steps = 0
  made.train()
  # A turn reads other examples than the one before.
  turn = [0]

  def step() -> None:
    turn[0] += 1
    made.args.seed = made.args.data_seed = turn[0]
    made.train()

  return {"examples": STEPS * options.batch_size}, step


def speed(options: argparse.Namespace) -> int:
  ours = peers.Contestant(make_ours, options)
  theirs = peers.Contestant(make_theirs, options)
  a, b = peers.take_turns([ours, theirs], options.rounds, 2)
  rates = [
    facts["examples"] / statistics.median(times)
    for facts, times in ((ours.facts, a), (theirs.facts, b))
  ]
  print(
    f"{options.task}, {options.batch_size} examples a step: lm_jax"
    f" {rates[0]:.1f} examples/s in rows {ours.facts['filled']:.1%} full"
    f" ({STEPS} steps: {peers.spread(a)}); Trainer {rates[1]:.1f}"
    f" ({peers.spread(b)}): {rates[0] / rates[1]:.2f} times its speed"
  )
  ours.stop()
  theirs.stop()
  return 0


def _ours(
  options: argparse.Namespace, seed: int, also: dict[str, str], folder: str
) -> dict[str, dict[str, float]]:
  launch = [sys.executable, "launch.py"]
  place = str(pathlib.Path(folder, f"seed{seed}"))
  flags = {**_flags(options), "epochs": str(options.epochs)}
  flags |= {"seed": str(seed), "workdir": place}
  flags |= dict(text.split("=", 1) for text in options.flag)
  subprocess.run(
    [*launch, "finetune", *(f"--{k}={v}" for k, v in flags.items())],
    check=True,
    stdout=subprocess.DEVNULL,
  )
  result = json.loads(pathlib.Path(place, "result.json").read_text("utf-8"))
  found = {options.task: _named(result["metrics"], options.task)}
  for name, data in also.items():
    from lm_jax.finetuning import dataset, evaluation

    task = dataset.find_task(name)
    told = evaluation.measure(load.load(place), task, data)
    found[name] = _named(told.metrics, name)
  return found


def _named(metrics: dict[str, float], task: str) -> dict[str, float]:
  return {
    name.removeprefix(f"{task}/"): value
    for name, value in metrics.items()
    if name.startswith(f"{task}/")
  }


def quality(options: argparse.Namespace) -> int:
  import torch

  torch.set_num_threads(options.threads)
  from lm_jax.finetuning import dataset, splits

  also = dict(text.split("=", 1) for text in options.also)
  rows: dict[str, list[Any]] = {"lm_jax": [], "Trainer": []}
  seconds: dict[str, list[float]] = {"lm_jax": [], "Trainer": []}
  task, found, kind = _examples(options)
  tests = {options.task: (task, task.examples(splits.TEST, options.task_data))}
  for name, place in also.items():
    other = dataset.find_task(name)
    tests[name] = (other, other.examples(splits.TEST, place))
  with tempfile.TemporaryDirectory() as folder:
    for seed in range(options.first_seed, options.first_seed + options.seeds):
      for side in options.side or list(rows):
        start = time.monotonic()
        if side == "lm_jax":
          row = _ours(options, seed, also, folder)
        else:
          row = theirs_lib.finetuned(
            options.model,
            task,
            kind,
            found[splits.TRAIN],
            found[splits.DEV],
            tests,
            _recipe(options),
            seed,
          )
        rows[side].append(row)
        seconds[side].append(time.monotonic() - start)
        print(f"{side}, seed {seed}: {_line(row)}", flush=True)
  for name, found_rows in rows.items():
    if not found_rows:
      continue
    for test in found_rows[0]:
      for metric in found_rows[0][test]:
        values = [row[test][metric] for row in found_rows]
        mean = statistics.fmean(values)
        shown = ", ".join(f"{value:.4f}" for value in values)
        print(f"{name}: {test} {metric} {mean:.4f} ({shown})")
    took = statistics.fmean(seconds[name])
    print(f"{name}: {took:.0f} s a run")
  return 0


def _line(found: dict[str, dict[str, float]]) -> str:
  return "; ".join(
    f"{test} " + ", ".join(f"{k} {v:.4f}" for k, v in metrics.items())
    for test, metrics in found.items()
  )


def main() -> int:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("what", choices=("speed", "quality"))
  parser.add_argument("--model", required=True)
  parser.add_argument("--task", default="sst2")
  parser.add_argument("--task_data", default="")
  parser.add_argument("--also", action="append", default=[])
  parser.add_argument("--side", action="append", choices=("lm_jax", "Trainer"))
  parser.add_argument(
    "--flag", action="append", default=[], help="NAME=VALUE of our finetune"
  )
  parser.add_argument("--train_examples", type=int, default=0)
  parser.add_argument("--length", type=int, default=128)
  parser.add_argument("--epochs", type=float, default=3.0)
  parser.add_argument("--batch_size", type=int, default=32)
  parser.add_argument("--learning_rate", type=float, default=5e-5)
  parser.add_argument("--seeds", type=int, default=3)
  parser.add_argument("--first_seed", type=int, default=0)
  parser.add_argument("--rounds", type=int, default=5)
  parser.add_argument("--threads", type=int, default=2)
  options = parser.parse_args()
  return speed(options) if options.what == "speed" else quality(options)


if __name__ == "__main__":
  raise SystemExit(main())
