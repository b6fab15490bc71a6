"""An experiment with sweeps as `compare` leaves it, with invented numbers."""

from __future__ import annotations

import json
from pathlib import Path

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import grid, record, sweeps

SCORING = {"rtd": "energy", "clm": "log_likelihood"}


def write(root: Path, objectives, texts, metrics, seeds=2, missing=()) -> Path:
  """Writes the directory.

  Args:
    objectives: of its arms.
    texts: of --sweep.
    metrics: makes those of a run from its configuration.
    missing: names of runs that were not begun.
  """
  arms = [Config(objective=objective, size="nano") for objective in objectives]
  crossed = grid.crossed(arms, sweeps.parse(texts, objectives), seeds)
  configs = record.place(crossed.runs, str(root))
  root.mkdir(parents=True, exist_ok=True)
  record.write(
    *(str(root), "question", "Which?", "launch.py compare", configs[0].arm),
    configs,
    sweeps=crossed.record(),
  )
  for config in configs:
    if config.name in missing:
      continue
    folder = Path(config.workdir)
    folder.mkdir(parents=True)
    resolved = config_lib.resolve(config)
    (folder / "config.json").write_text(config_lib.to_json(resolved))
    result = {
      "status": "done",
      "objective": config.objective,
      "architecture": resolved.architecture,
      "scoring": SCORING.get(config.objective, "pseudo_log_likelihood"),
      "parameters": 1000,
      "ledger": {"flops": 1e9, "tokens": 1e4},
      "digest": "0f3a",
      "commit": "abc",
      "metrics": metrics(config),
    }
    (folder / "result.json").write_text(json.dumps(result))
  return root
