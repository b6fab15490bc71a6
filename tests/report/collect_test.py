"""Reading directories in every state."""

import csv
import json

import pytest

from lm_jax.errors import UsageError
from lm_jax.report import collect


def test_status_of_runs_without_a_result(experiment):
  root = experiment(bad={"clm-0": "", "clm-1": "unfinished", "mlm-0": "failed"})
  (root / "runs" / "mlm-1" / "result.json").write_text('{"status": "do')
  loaded = collect.load(root)
  found = {run.name: run.status for run in loaded.runs[:6]}
  assert found["clm-0"] == "not started"
  assert found["clm-1"] == "unfinished"
  assert found["mlm-0"] == "failed"
  assert found["mlm-1"] == "unreadable"
  assert loaded.count() == 8
  assert loaded.runs[1].ledger["tokens"] > 0


def test_repeated_and_cut_lines_of_a_resumed_run(experiment):
  root = experiment(arms=("clm",))
  path = root / "runs" / "clm-0" / "metrics.jsonl"
  row = {"step": 800, "flops": 1e13, "minimal_pairs": 0.75}
  with path.open("a") as file:
    file.write(json.dumps(row) + '\n{"step": 8')
  loaded = collect.load(root)
  x, y = loaded.runs[0].curve("flops", "minimal_pairs")
  assert (x[-1], y[-1], len(x)) == (1e13, 0.75, 11)
  assert any("clm-0/metrics.jsonl" in note for note in loaded.notes)


def test_numbers_that_are_none_are_left_out_aloud(experiment):
  root = experiment(arms=("clm",))
  path = root / "runs" / "clm-0" / "result.json"
  result = json.loads(path.read_text())
  result["metrics"]["probe/era"] = float("nan")
  path.write_text(json.dumps(result))
  loaded = collect.load(root)
  assert "probe/era" not in loaded.runs[0].metrics
  assert loaded.notes == ("clm-0: probe/era is nan and was left out.",)


def test_csv_has_a_row_per_run_and_every_column(experiment):
  root = experiment(bad={"mlm-1": "failed", "rtd-0": ""})
  text = collect.table_csv(collect.load(root))
  rows = {row["name"]: row for row in csv.DictReader(text.splitlines())}
  assert len(rows) == 12
  columns = "status seed parameters flops tokens positions targets seconds"
  for column in [*columns.split(), "minimal_pairs/swap", "bits_per_byte"]:
    assert rows["clm-0"][column] != ""
  assert rows["mlm-1"]["error"].startswith("ValueError: <script>")
  assert rows["rtd-0"]["status"] == "not started"


@pytest.mark.parametrize(
  ("change", "words"),
  [
    ({"baseline": "clmm"}, "valid: clm"),
    ({"runs": []}, "no runs"),
    ({"runs": 3}, "a list of"),
    ({"runs": [{"name": "a", "arm": "a", "seed": 0}] * 2}, "two runs of arm a"),
  ],
)
def test_bad_experiments_get_one_clear_line(experiment, change, words):
  path = experiment(arms=("clm",)) / "experiment.json"
  about = json.loads(path.read_text())
  path.write_text(json.dumps(about | change))
  with pytest.raises(UsageError, match=words) as error:
    collect.load(path.parent)
  assert "\n" not in str(error.value)


def test_no_experiment_there(tmp_path):
  with pytest.raises(UsageError, match="--workdir="):
    collect.load(tmp_path)
