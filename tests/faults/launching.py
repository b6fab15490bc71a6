"""Tiny runs of the real command line, to be hit by faults."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import overrides

ROOT = pathlib.Path(__file__).parents[2]
OBJECTIVES = (
  "clm",
  "prefix_lm",
  "mlm",
  "mlm_nsp",
  "mlm_sop",
  "rtd",
  "permutation_lm",
  "span_corruption",
  "denoising",
  "ul2",
  "hybrid",
)


def write_corpus(path: pathlib.Path, documents: int = 60) -> pathlib.Path:
  """A text file a document, of made-up but regular sentences."""
  path.mkdir(parents=True, exist_ok=True)
  nouns = ("river", "house", "letter", "engine", "garden", "answer", "winter")
  verbs = ("holds", "meets", "follows", "opens", "leaves", "answers")
  for i in range(documents):
    lines = [
      f"The {nouns[(i + j) % 7]} {verbs[(i * j) % 6]} the "
      f"{nouns[(i * 3 + j) % 7]} number {i * j % 97}."
      for j in range(24)
    ]
    text = "\n\n".join(" ".join(lines[k : k + 4]) for k in range(0, 24, 4))
    (path / f"{i:03}.txt").write_text(text, encoding="utf-8")
  return path


def train_command(
  workdir: pathlib.Path,
  corpus: pathlib.Path,
  objective: str = "clm",
  steps: int = 40,
  **flags: Any,
) -> list[str]:
  """`launch.py train`: one layer of width 32, dropout on.

  flags: by name with dots as two underscores (data__workers=2).
  """
  chosen: dict[str, Any] = {
    "objective": objective,
    "workdir": workdir,
    "budget": f"steps:{steps}",
    "length": 32,
    "batch_size": 8,
    "checkpoint_every": 10,
    "eval_every": 20,
    "log_every": 1,
    "trunk.layers": 1,
    "trunk.width": 32,
    "trunk.heads": 2,
    "trunk.feedforward": 64,
    "trunk.dropout": 0.1,
    "data.corpus": corpus,
    "data.vocabulary_size": 400,
    "data.packing": "document",
  }
  chosen |= {name.replace("__", "."): value for name, value in flags.items()}
  return [
    sys.executable,
    "launch.py",
    "train",
    *(f"--{name}={value}" for name, value in chosen.items()),
  ]


def config_of(command: Sequence[str]) -> config_lib.Config:
  """The configuration that the flags of a command mean."""
  flags = (flag[2:].split("=", 1) for flag in command if flag[:2] == "--")
  return overrides.override(config_lib.Config(), dict(flags))


def environment() -> dict[str, str]:
  """Of a run: on the CPU, this checkout's code."""
  return os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}


def start(command: Sequence[str]) -> subprocess.Popen[str]:
  """A process in a session of its own, its output as text in pipes."""
  return subprocess.Popen(
    command,
    cwd=ROOT,
    env=environment(),
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def result(workdir: pathlib.Path) -> dict[str, Any]:
  """What result.json holds."""
  return json.loads((workdir / "result.json").read_text(encoding="utf-8"))


def metrics(workdir: pathlib.Path) -> list[dict[str, Any]]:
  """The lines of metrics.jsonl, without what is measured in seconds."""
  text = (workdir / "metrics.jsonl").read_text(encoding="utf-8")
  lines = [json.loads(line) for line in text.splitlines()]
  for line in lines:
    line.pop("seconds", None)
  return lines
