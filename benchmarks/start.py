"""How long it takes until something happens, in processes of their own.

    python -m benchmarks.start

`launch.py list objectives`; and the first training step of size tiny, from the
start of the process until metrics.jsonl has its line, with an empty
compilation cache and with the one that this leaves. The tokenizer and the
encoded corpus are there in both.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

WAIT = 300.0  # seconds for a first step


def listing() -> float:
  """Seconds of `list objectives`."""
  start = time.perf_counter()
  subprocess.run(
    [sys.executable, "launch.py", "list", "objectives"],
    check=True,
    stdout=subprocess.DEVNULL,
  )
  return time.perf_counter() - start


def first_step(folder: pathlib.Path, objective: str) -> float:
  """Seconds until the first step is logged.

  Raises:
    RuntimeError: it never is.
  """
  workdir = folder / "run"
  shutil.rmtree(workdir, ignore_errors=True)
  flags = {
    "objective": objective,
    "size": "tiny",
    "budget": "steps:2",
    "log_every": "1",
    "workdir": str(workdir),
    "data.cache": str(folder / "cache"),
  }
  start = time.perf_counter()
  process = subprocess.Popen(
    [
      sys.executable,
      "launch.py",
      "train",
      *(f"--{name}={value}" for name, value in flags.items()),
    ],
    stdout=subprocess.DEVNULL,
    stderr=subprocess.DEVNULL,
  )
  metrics = workdir / "metrics.jsonl"
  while not (metrics.exists() and metrics.stat().st_size):
    took = time.perf_counter() - start
    if process.poll() not in (None, 0) or took > WAIT:
      process.kill()
      raise RuntimeError(f"{objective}: no step after {took:.0f} s")
    time.sleep(0.01)
  took = time.perf_counter() - start
  process.wait()
  return took


def measure(objective: str, rounds: int) -> dict[str, list[float]]:
  """Seconds of each, by what is measured."""
  found: dict[str, list[float]] = {"list": [], "cold": [], "warm": []}
  with tempfile.TemporaryDirectory() as place:
    folder = pathlib.Path(place)
    first_step(folder, objective)  # makes the tokenizer
    compiled = folder / "cache" / "xla"
    for _ in range(rounds):
      found["list"].append(listing())
      shutil.rmtree(compiled)
      found["cold"].append(first_step(folder, objective))
      found["warm"].append(first_step(folder, objective))
  return found


def told(found: dict[str, list[float]], objective: str) -> list[str]:
  """Lines of a Markdown table."""
  lines = ["| | seconds, median (least to most) | target |", "|---|--:|--:|"]
  for key, name, target in (
    ("list", "`launch.py list objectives`", 1),
    ("cold", f"first step of tiny, {objective}, nothing compiled", 10),
    ("warm", "the same from the compilation cache", 3),
  ):
    times = found[key]
    shown = f"{statistics.median(times):.2f}"
    shown += f" ({min(times):.2f} to {max(times):.2f})"
    lines.append(f"| {name} | {shown} | {target} |")
  return lines


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
  parser.add_argument("--objective", default="clm")
  parser.add_argument("--rounds", type=int, default=3)
  options = parser.parse_args()
  found = measure(options.objective, options.rounds)
  print("\n".join(told(found, options.objective)))


if __name__ == "__main__":
  main()
