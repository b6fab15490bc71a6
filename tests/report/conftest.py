"""An experiment directory as the lab leaves it, with invented numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

EVIL = "ValueError: <script>alert('x')</script> | `a` & [b](javascript:c)\x1b"

# Per arm: skill after the whole budget, how fast it is learnt, tokens read,
# targets per token, bits per byte, kind of score, parameters.
ARMS = {
  "clm": (0.640, 4.0, 3.3e6, 1.0, 1.91, "log_likelihood", 1.05e6),
  "prefix_lm": (0.631, 3.5, 3.3e6, 0.5, 1.97, "log_likelihood", 1.05e6),
  "mlm": (0.602, 2.0, 3.2e6, 0.15, 1.52, "pseudo_log_likelihood", 1.07e6),
  "rtd": (0.652, 3.0, 2.4e6, 0.85, None, "energy", 1.21e6),
  "permutation_lm": (
    0.585, 1.6, 2.1e6, 0.17, 1.71, "pseudo_log_likelihood", 1.05e6,
  ),
  "span_corruption": (0.555, 2.5, 2.9e6, 0.2, None, "infilling", 1.05e6),
}  # fmt: skip


def write_run(folder: Path, arm: str, seed: int, items: int, status: str):
  """One run's files; the steps of a failed one end half-way."""
  skill, speed, tokens, density, bits, scoring, parameters = ARMS[arm]
  rng = np.random.default_rng([seed, list(ARMS).index(arm)])
  skill += rng.normal(0, 0.006)
  folder.mkdir(parents=True)
  (folder / "config.json").write_text("{}")
  end = {
    "steps": 800,
    "tokens": tokens,
    "positions": tokens * (1.2 if arm == "permutation_lm" else 1),
    "targets": tokens * density,
    "flops": 1e13,
    "seconds": 40 + 20 * rng.random(),
  }
  rows = []
  for step in range(0, 801 if status == "done" else 401, 20):
    part = step / 800
    row = {"step": step} | {k: v * part for k, v in end.items() if k != "steps"}
    if step:
      loss = 3 + 4 * math.exp(-4 * part) + rng.normal(0, 0.05)
      rows.append(row | {"loss": loss, "learning_rate": 1e-3})
    if step % 80 == 0:
      score = 0.5 + (skill - 0.5) * (1 - math.exp(-speed * part))
      held = density * (3 + 5 * math.exp(-speed * part)) + rng.normal(0, 0.02)
      pairs = score + rng.normal(0, 0.008)
      rows.append(row | {"validation_loss": held, "minimal_pairs": pairs})
  lines = "".join(json.dumps(row) + "\n" for row in rows)
  (folder / "metrics.jsonl").write_text(lines)
  if status == "unfinished":
    return
  ease_I = np.random.default_rng(7).normal(0, 0.25, items)  # of each pair
  draw_I = rng.random(items) < np.clip(skill + ease_I, 0.02, 0.98)
  scores_I = np.where(rng.random(items) < 0.02, 0.5, draw_I)
  result = {
    "name": folder.name,
    "arm": arm,
    "seed": seed,
    "status": status,
    "error": None,
    "step": 800,
    "digest": "0f3a",
    "objective": arm,
    "architecture": "encoder",
    "parameters": int(parameters),
    "scoring": scoring,
    "ledger": end,
    "metrics": {
      "minimal_pairs": float(scores_I.mean()),
      "minimal_pairs/swap": skill + 0.05,
      "minimal_pairs/replace": skill - 0.02,
      "minimal_pairs/inflection": skill - 0.03,
      "probe/era": 0.71 + rng.normal(0, 0.01),
      "probe/party": 0.66 + rng.normal(0, 0.01),
      "validation_loss": 2.5,
    },
    "items": {"minimal_pairs": scores_I.tolist()},
  }
  if bits:
    name = "bits_per_byte_bound" if arm == "mlm" else "bits_per_byte"
    result["metrics"][name] = bits + rng.normal(0, 0.01)
    result["likelihood"] = {
      "kind": "bound" if arm == "mlm" else "exact",
      "estimator": "Monte Carlo" if arm == "mlm" else "chain rule",
      "unknown": 0.0,
    }
    if arm == "mlm":
      result["likelihood"] |= {"standard_error": 0.013, "lengths": 0.02}
  if status == "failed":
    result |= {"error": EVIL, "metrics": {}, "items": {}}
    result["traceback"] = f"Traceback:\n  ```\n  boom()\n{EVIL}"
  (folder / "result.json").write_text(json.dumps(result))


def write(
  root: Path, seeds: int = 2, items: int = 600, arms=tuple(ARMS), bad=None
) -> Path:
  """An experiment; `bad` maps a run's name to its status, "" if missing."""
  runs = [
    {"name": f"{arm}-{seed}", "arm": arm, "seed": seed}
    for arm in arms
    for seed in range(seeds)
  ]
  root.mkdir(parents=True, exist_ok=True)
  about = {
    "name": "compare_objectives",
    "question": "Which pretraining objective at the same FLOPs?",
    "command": "python launch.py compare --seeds=2 --budget=flops:1e13",
    "docstring": "Six objectives, one trunk.\n\nCost: ten minutes.",
    "baseline": arms[0],
    "runs": runs,
    "versions": {"jax": "0.10.2", "python": "3.11.9"},
    "machine": "2 cores, 8 GB",
    "date": "2026-11-23",
  }
  (root / "experiment.json").write_text(json.dumps(about))
  for run in runs:
    status = (bad or {}).get(run["name"], "done")
    if status:
      folder = root / "runs" / run["name"]
      write_run(folder, run["arm"], run["seed"], items, status)
  return root


@pytest.fixture
def experiment(tmp_path):
  """Writes an experiment, and returns its directory: `write`'s arguments."""
  return lambda **options: write(tmp_path / "experiment", **options)
