"""Time a token of a training step, by the length of rows and the kernel.

    python -m benchmarks.lengths

clm, float32, 6 layers x 384, vocabulary 65, 8,192 tokens a step in rows of 128
to 4,096, which documents of 64 to 512 tokens fill. The plain kernel computes
every score of a row, the blocked one those up to the diagonal, the sparse one
the blocks in which documents lie. Beside the time: the scores a token has that
the mask allows, and those of the square.
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
from typing import Any

import numpy as np

from benchmarks import peers
from benchmarks.train_step import CASES, make_plan

LENGTHS = (128, 256, 512, 1024, 2048, 4096)
TOKENS = 8192
KERNELS = ("plain", "blocked", "sparse")


def segments(rows: int, length: int, whole: bool) -> np.ndarray:
  """int32 [rows, length]: documents one after another, cut where rows end."""
  if whole:
    return np.ones((rows, length), np.int32)
  generator = np.random.default_rng(0)
  starts = np.zeros(rows * length, np.int32)
  place = 0
  while place < rows * length:
    starts[place] = 1
    place += int(generator.integers(64, 513))
  starts = starts.reshape(rows, length)
  starts[:, 0] = 1
  return np.cumsum(starts, axis=1, dtype=np.int32)


def make(length: int, kernel: str, whole: bool) -> tuple[dict[str, Any], Any]:
  from lm_jax.devices import memory

  memory.keep_freed_memory()
  import jax

  from lm_jax.training import program
  from lm_jax.types import ANSWER, Rows

  rows = TOKENS // length
  case = dataclasses.replace(CASES["clm"], length=length, batch=rows)
  plan = make_plan("clm", case, attention=kernel)
  compiled = program.compile_plan(plan)
  generator = np.random.default_rng(1)
  tokens = generator.integers(9, 65, (rows, length), dtype=np.int32)
  segment = segments(rows, length, whole)
  word = np.broadcast_to(np.arange(length, dtype=np.int32), tokens.shape)
  one = np.ones_like(tokens)
  placed = compiled.place_rows(
    Rows(tokens, segment, word, 0 * one, ANSWER * one)
  )
  box = [compiled.initial(np.uint32(0))]
  loss = compiled.validation_loss(box[0].params, [placed])

  def step() -> None:
    box[0], metrics = compiled.step(box[0], placed, np.float32(0.5))
    jax.block_until_ready((box[0], metrics))

  step()
  _, counts = np.unique(
    segment + 10**4 * np.arange(rows)[:, None], return_counts=True
  )
  return {
    "loss": loss,
    "allowed": float((counts * (counts + 1) / 2).sum()) / TOKENS,
  }, step


def compare(
  lengths: tuple[int, ...], kernels: tuple[str, ...], rounds: int, whole: bool
) -> list[str]:
  """Lines of a Markdown table.

  Raises:
    ValueError: the kernels' losses differ.
  """
  from lm_jax.models import attention

  head = ["rows of", "allowed scores a token", "square", *kernels]
  lines = ["| " + " | ".join(head) + " |", "|" + "--:|" * len(head)]
  for length in lengths:
    long = length > attention.LONGEST
    able = [k for k in kernels if not (k == "blocked" and long)]
    contestants = [peers.Contestant(make, length, k, whole) for k in able]
    losses = [c.facts["loss"] for c in contestants]
    if max(losses) - min(losses) > 1e-4:
      raise ValueError(f"rows of {length}: the losses differ: {losses}")
    times = peers.take_turns(contestants, rounds, 2)
    for contestant in contestants:
      contestant.stop()
    allowed = contestants[0].facts["allowed"]
    medians = {
      k: f"{1e6 * statistics.median(t) / TOKENS:.0f} µs"
      for k, t in zip(able, times, strict=True)
    }
    each = (medians.get(k, "–") for k in kernels)
    row = [f"{length:,}", f"{allowed:.0f}", f"{length:,}", *each]
    lines.append("| " + " | ".join(row) + " |")
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--length", action="append", type=int)
  parser.add_argument("--kernel", action="append", choices=KERNELS)
  parser.add_argument("--rounds", type=int, default=2)
  parser.add_argument(
    "--whole", action="store_true", help="one document a row instead"
  )
  options = parser.parse_args()
  lengths = tuple(options.length or LENGTHS)
  kernels = tuple(options.kernel or KERNELS)
  print("\n".join(compare(lengths, kernels, options.rounds, options.whole)))


if __name__ == "__main__":
  main()
