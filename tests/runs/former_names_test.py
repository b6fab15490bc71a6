"""Runs keep the names that they were begun under."""

import json

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.runs import former_names, grid, sweeps
from lm_jax.runs.run import Run


def test_runs_of_former_names_go_on_under_them(tmp_path):
  sweep = sweeps.parse(["data.corpus=诗词.jsonl,评论.jsonl,a.jsonl"])
  crossed = grid.crossed([Config()], sweep, 2)
  assert former_names.adopt(crossed, str(tmp_path)) == crossed
  # One run of one arm was begun when both arms had this name.
  place = tmp_path / "runs" / "clm-corpus=_.jsonl-seed1"
  place.mkdir(parents=True)
  begun = Run(crossed.runs[1]).config
  text = config_lib.to_json(begun)
  (place / "config.json").write_text(text, "utf-8")
  adopted = former_names.adopt(crossed, str(tmp_path))
  assert [(run.arm, run.name) for run in adopted.runs[:3]] == [
    ("clm-corpus=_.jsonl", "clm-corpus=_.jsonl-seed0"),
    ("clm-corpus=_.jsonl", "clm-corpus=_.jsonl-seed1"),
    ("clm-corpus=评论.jsonl", "clm-corpus=评论.jsonl-seed0"),
  ]
  assert adopted.runs[4:] == crossed.runs[4:]
  assert list(adopted.places) == [
    "clm-corpus=_.jsonl",
    "clm-corpus=评论.jsonl",
    "clm-corpus=a.jsonl",
  ]
  # Another run in its place is left alone.
  other = json.loads(text) | {"batch_size": 7}
  (place / "config.json").write_text(json.dumps(other), "utf-8")
  assert former_names.adopt(crossed, str(tmp_path)) == crossed
