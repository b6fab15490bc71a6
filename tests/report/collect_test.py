"""Reading directories in every state."""

import csv
import json

import pytest
from json_files import edited

from lm_jax.report import collect, records
from lm_jax.support.errors import UsageError


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
  with edited(root / "runs" / "clm-0" / "result.json") as result:
    result["metrics"]["probe/era"] = float("nan")
  loaded = collect.load(root)
  assert "probe/era" not in loaded.runs[0].metrics
  assert loaded.notes == ("clm-0: probe/era is nan and was left out.",)


def test_csv_has_a_row_per_run_and_every_column(experiment):
  root = experiment(bad={"mlm-1": "failed", "rtd-0": ""})
  text = records.table_csv(collect.load(root))
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
    ({"runs": 3}, "must be a list"),
    ({"runs": [{"name": "a", "arm": "a", "seed": 0}] * 2}, "two runs of arm a"),
  ],
)
def test_bad_experiments_get_one_clear_line(experiment, change, words):
  path = experiment(arms=("clm",)) / "experiment.json"
  with edited(path) as about:
    about |= change
  with pytest.raises(UsageError, match=words) as error:
    collect.load(path.parent)
  assert "\n" not in str(error.value)


def test_no_experiment_there(tmp_path):
  with pytest.raises(UsageError, match="--workdir="):
    collect.load(tmp_path)


def test_csv_has_what_runs_were_asked_for(experiment):
  root = experiment(arms=("clm", "mlm"), seeds=1)
  for arm, rate in (("clm", 1e-3), ("mlm", 3e-3)):
    config = {
      "objective": arm,
      "size": "nano",
      "length": 64,
      "batch_size": 8,
      "budget": "flops:1e9",
      "accumulate": 1 if arm == "clm" else 2,
      "data": {"corpus": "=x*.txt", "tokenizer": "bpe", "packing": "packed"},
      "optimizer": {"learning_rate": rate, "final": 0.1},
      "objective_options": {} if arm == "clm" else {"rate": 0.15},
      "trunk": {"layers": 2, "preset": ""},
    }
    path = root / "runs" / f"{arm}-0"
    (path / "config.json").write_text(json.dumps(config))
    with edited(path / "result.json") as result:
      result["commit"] = "1234abc"
  text = records.table_csv(collect.load(root))
  clm, mlm = csv.DictReader(text.splitlines())
  assert clm["size"] == "nano" and clm["corpus"] == "'=x*.txt"
  assert [clm[x] for x in ("length", "batch_size")] == ["64", "8"]
  assert (clm["budget"], clm["tokenizer"]) == ("flops:1e9", "bpe")
  assert [run["learning_rate"] for run in (clm, mlm)] == ["0.001", "0.003"]
  # What differs has a column; what follows from the objective has none.
  assert [run["accumulate"] for run in (clm, mlm)] == ["1", "2"]
  assert "objective.rate" not in clm and "trunk.layers" not in clm
  assert clm["commit"] == "1234abc"
