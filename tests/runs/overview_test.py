"""The table of --status, from the files of runs alone."""

import json
from pathlib import Path

import pytest

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import grid, overview, record
from lm_jax.storage import lock
from lm_jax.support.errors import UsageError


@pytest.fixture
def experiment(tmp_path):
  """A directory with a run in each state."""
  arms = [Config(arm="a", budget="flops:1000")]
  configs = record.place(grid.cross(arms, [], 4), str(tmp_path))
  record.write(str(tmp_path), "e", "Is it?", "command", "a", configs)
  for config, flops in zip(configs, (1000, 250, 500, None), strict=True):
    if flops is None:
      continue
    folder = Path(config.workdir)
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(config_lib.to_json(config))
    rows = [
      {"step": 1, "flops": flops // 2, "tokens": 50, "seconds": 5.0}
      | {"validation_loss": 3.25},
      {"step": 2, "flops": flops, "tokens": 100, "seconds": 10.0, "loss": 3},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metrics.jsonl").write_text(lines + '{"step": 3, "fl')
  done = {"status": "done", "metrics": {"minimal_pairs": 0.75}}
  Path(configs[0].workdir, "result.json").write_text(json.dumps(done))
  return tmp_path


def test_each_state_is_told(experiment):
  with lock.hold(experiment / "runs" / "a-seed1"):
    rows = {row.name: row for row in overview.lines(str(experiment))}
  states = [row.state for row in rows.values()]
  assert states == ["done", "running", "started", "not started"]
  assert rows["a-seed0"].measure == "minimal pairs 75.0 %"
  running = rows["a-seed1"]
  # A quarter took 10 seconds.
  assert (running.share, running.speed, running.left) == (0.25, 10, 30)
  assert running.measure == "own validation loss 3.250"
  assert rows["a-seed2"].share == 0.5
  assert rows["a-seed3"].share == 0


def test_the_table_counts_states(experiment):
  text = overview.text(str(experiment)).replace("\n", " ")
  assert "1 done, 2 started, 1 not started; 40 s of training left" in text
  assert overview.follow(str(experiment)) == 0


def test_no_experiment_is_a_line(tmp_path):
  with pytest.raises(UsageError, match="holds no experiment.json"):
    overview.text(str(tmp_path))
