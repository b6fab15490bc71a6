"""All benchmarks of speed on a CPU, into docs/speed.md; about an hour.

    pip install -e '.[compare]' && python -m benchmarks
    python -m benchmarks --section=lengths --section=start

Nothing else should run beside them. Sections that are not asked for stay as
they are in the file. That of TPUs needs libtpu (benchmarks/scale.py).
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Callable, Iterator

from benchmarks import (
  experiment,
  lengths,
  peak_memory,
  scale,
  start,
  together,
  train_step,
)
from lm_jax.support import machine

PACKAGES = ("jax", "flax", "torch", "transformers")
KERNELS = ("blocked", "sparse")
INTRODUCTION = """# Speed

Written by `python -m benchmarks`, section by section. Medians and middle
halves; all sides take turns in processes of their own. Machines differ from
hour to hour: compare within a table only. On a GPU:
[speed_gpu.md](speed_gpu.md).
"""


def _steps(rounds: int) -> Iterator[str]:
  yield from (
    "The same parameters (ours, exported), tokens, AdamW and clipping, no"
    " dropout, equal threads; losses and",
    "norms of the gradients (PyTorch's summed in float64) are compared before"
    " anything is timed. Where ours is",
    "ahead it computes less: logits of the chosen tokens alone. The floor is"
    " what bare products of matrices",
    "take for the model FLOPs of a step.",
  )
  for objective in train_step.CASES:
    found = train_step.compare(objective, rounds, 2, train_step.MODES)
    yield from ("", *train_step.told(found))


def _memory(rounds: int) -> Iterator[str]:
  del rounds
  case = peak_memory.CASE
  found = peak_memory.measure(case, ("none",))
  yield from peak_memory.told(case, found)


def _lengths(rounds: int) -> Iterator[str]:
  yield from (
    "clm, 6 x 384, 8,192 tokens a step in rows that documents of 64 to 512"
    " tokens fill. `blocked` computes the",
    "scores up to the diagonal, `sparse` those of blocks of 128 x 128 in which"
    " a document lies; `auto` takes",
    "sparse from rows of 1,024 on.",
    "",
    *lengths.compare(lengths.LENGTHS[1:], KERNELS, max(1, rounds // 2), False),
  )


def _start(rounds: int) -> Iterator[str]:
  yield from start.told(start.measure("clm", rounds), "clm")


def _experiment(rounds: int) -> Iterator[str]:
  del rounds
  for number, budget in enumerate(experiment.BUDGETS):
    if number:
      yield ""
    yield from experiment.told(budget, experiment.measure(budget))


def _together(rounds: int) -> Iterator[str]:
  yield from (
    "A step of one run, and in brackets by those of runs one after another, by"
    " the clock and in processor time.",
    "Alone: one process with all processors. Processes: one on each processor,"
    " at once, as `compare --parallel`",
    "has it. Together: seeds as a batch axis, `--local.together`.",
  )
  for case in together.CASES:
    yield ""
    yield from together.told(case, together.OBJECTIVES, together.SEEDS, rounds)


def _scale(rounds: int) -> Iterator[str]:
  yield from scale.simulated(rounds)


def _tpu(rounds: int) -> Iterator[str]:
  del rounds
  yield from scale.on_tpu()


# By name: the heading and what follows it.
SECTIONS: dict[str, tuple[str, Callable[[int], Iterator[str]]]] = {
  "train_step": ("A training step beside PyTorch", _steps),
  "peak_memory": ("The most memory of a step, beside PyTorch", _memory),
  "lengths": ("Time a token, by the length of rows", _lengths),
  "start": ("Until something happens", _start),
  "experiment": ("Where the time of an experiment goes", _experiment),
  "together": ("Several runs at a time", _together),
  "scale": ("Split over simulated devices", _scale),
  "tpu": ("What chips exchange, as compiled for a TPU", _tpu),
}


def measured() -> str:
  """When, on what and with what: the line under a heading."""
  versions = (f"{p} {importlib.metadata.version(p)}" for p in PACKAGES)
  return (
    f"{datetime.date.today()}, {machine.describe()}; float32 unless told;"
    f" {', '.join(versions)}."
  )


def read(path: pathlib.Path) -> dict[str, list[str]]:
  """The lines of each section of the page, by heading."""
  found: dict[str, list[str]] = {}
  if not path.exists():
    return found
  lines: list[str] = []
  for line in path.read_text(encoding="utf-8").splitlines():
    if line.startswith("## "):
      lines = found.setdefault(line.removeprefix("## "), [])
    else:
      lines.append(line)
  return found


def write(path: pathlib.Path, sections: dict[str, list[str]]) -> None:
  """The page, of the sections that there are, in their order."""
  text = INTRODUCTION
  for heading, _ in SECTIONS.values():
    if heading in sections:
      body = "\n".join(sections[heading]).strip()
      text += f"\n## {heading}\n\n{body}\n"
  path.write_text(text, encoding="utf-8")


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--rounds", type=int, default=4)
  parser.add_argument("--to", default="docs/speed.md")
  parser.add_argument("--section", action="append", choices=tuple(SECTIONS))
  options = parser.parse_args()
  names = options.section or list(SECTIONS)
  if options.section is None and importlib.util.find_spec("libtpu") is None:
    print("tpu: left as it is, for libtpu is not installed", flush=True)
    names.remove("tpu")
  path = pathlib.Path(options.to)
  for name in names:
    heading, section = SECTIONS[name]
    print(f"## {heading}", flush=True)
    lines = [f"`python -m benchmarks --section={name}`, {measured()}", ""]
    for line in section(options.rounds):
      print(line, flush=True)
      lines.append(line)
    write(path, read(path) | {heading: lines})


if __name__ == "__main__":
  main()
