"""Directories of runs and experiments as commands leave them, but for size."""

import json

from lm_jax import config as config_lib
from lm_jax.config import Config


def run(path, status="done", step=10, **options):
  """Makes a run; options: of Config. status: "" for one without a result."""
  config = Config(**{"objective": "clm", "budget": "steps:20"} | options)
  path.mkdir(parents=True)
  text = config_lib.to_json(config_lib.resolve(config))
  (path / "config.json").write_text(text)
  (path / "lock").touch()
  line = {"step": step, "tokens": 5 * step}
  (path / "metrics.jsonl").write_text(json.dumps(line) + '\n{"step": 9')
  if status:
    result = {"status": status, "error": None, "step": step}
    result |= {"ledger": {"steps": step}, "metrics": {}}
    (path / "result.json").write_text(json.dumps(result))
  return path


def experiment(path, statuses):
  """Makes an experiment; statuses: of its runs by arm, None if not begun."""
  runs = [{"name": f"{a}-seed0", "arm": a, "seed": 0} for a in statuses]
  for arm, status in statuses.items():
    if status is not None:
      run(path / "runs" / f"{arm}-seed0", status, objective=arm, arm=arm)
  path.mkdir(parents=True, exist_ok=True)
  about = {"name": path.name, "baseline": runs[0]["arm"], "runs": runs}
  (path / "experiment.json").write_text(json.dumps(about))
  return path
