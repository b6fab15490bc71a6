"""What a run and an experiment leave behind, read again."""

import json

import fuzzing
import pytest
from hypothesis import strategies as st

from lm_jax.report import collect, records
from lm_jax.runs import record
from lm_jax.storage import log, result_file
from lm_jax.support import status
from lm_jax.support.errors import UsageError

_RESULT = {
  "name": "a-seed0",
  "arm": "a",
  "seed": 0,
  "status": "done",
  "error": None,
  "step": 8,
  "digest": "0f3a",
  "parameters": 100,
  "scoring": "energy",
  "ledger": {"steps": 8, "tokens": 100, "seconds": 1.5},
  "metrics": {"minimal_pairs": 0.5, "probe/era": 0.25, "x": float("nan")},
  "items": {"minimal_pairs": [0.0, 1.0, 0.5]},
}
_LINES = [
  {"step": 1, "tokens": 10, "loss": 5.5},
  {"step": 2, "tokens": 20, "loss": None, "validation_loss": 1.0},
]
_ABOUT = {
  "name": "e",
  "question": "Is it?",
  "baseline": "a",
  "runs": [
    {"name": "a-seed0", "arm": "a", "seed": 0},
    {"name": "b-seed0", "arm": "b", "seed": 0},
  ],
  "versions": {"jax": "0"},
}


@fuzzing.COUNTS
def test_a_result_is_read_or_refused(count, tmp_path):
  path = tmp_path / "result.json"

  def read(data):
    path.write_bytes(data)
    end, found = fuzzing.attempt(
      lambda: result_file.read(path, "remove it"), path
    )
    if end == "valid":
      assert found["status"] in status.EXIT
    return [*fuzzing.is_json(data), end]

  inputs = fuzzing.texts([_RESULT])
  fuzzing.fuzz("result.json", count, inputs, read, {"JSON": 0.5, "valid": 0.05})


@fuzzing.COUNTS
def test_logged_lines_are_read_or_refused(count, tmp_path):
  path = tmp_path / "metrics.jsonl"
  whole = json.dumps(_LINES[0]).encode()

  def read(data):
    path.write_bytes(whole + b"\n" + data)
    end, lines = fuzzing.attempt(lambda: log.read(path), "metrics.jsonl, line ")
    if end == "valid":
      assert lines[0] == _LINES[0]
      assert all(type(line["step"]) is int for line in lines)
      # A line that is whole is kept, and can be written again.
      assert len(lines) == 1 + data.count(b"\n")
      json.dumps(lines, allow_nan=False)
    return [*fuzzing.is_json(data), end]

  line = fuzzing.texts(_LINES)
  inputs = line.map(lambda data: data + b"\n") | line
  shares = {"JSON": 0.5, "valid": 0.2}
  fuzzing.fuzz("metrics.jsonl", count, inputs, read, shares)


def test_a_damaged_line_is_not_dropped_with_those_after_it(tmp_path):
  path = tmp_path / "metrics.jsonl"
  content = '{"step": 1}\n{"step": 2\n{"step": 3}\n{"ste'
  path.write_text(content)
  with pytest.raises(UsageError, match=r"metrics\.jsonl, line 2: damaged"):
    log.MetricsLog(tmp_path, 3)
  assert path.read_text() == content


@fuzzing.COUNTS
def test_an_experiment_is_read_or_refused(count, tmp_path):
  def read(data):
    (tmp_path / record.FILE).write_bytes(data)
    end, _ = fuzzing.attempt(lambda: record.read(str(tmp_path)), record.FILE)
    told, found = fuzzing.attempt(lambda: collect.load(tmp_path), record.FILE)
    if told == "valid":
      runs = (tmp_path / "runs").resolve()
      for run in found.runs:
        assert (runs / run.name).resolve().parent == runs
      assert records.table_csv(found)
    return [*fuzzing.is_json(data), f"{end} to go on", f"{told} to report"]

  inputs = fuzzing.texts([_ABOUT])
  shares = {"JSON": 0.5, "valid to go on": 0.1, "valid to report": 0.1}
  fuzzing.fuzz("experiment.json", count, inputs, read, shares)


@fuzzing.COUNTS
def test_a_report_tells_of_damaged_runs(count, tmp_path):
  (tmp_path / record.FILE).write_text(json.dumps(_ABOUT))
  folder = tmp_path / "runs" / "a-seed0"
  folder.mkdir(parents=True)

  def read(files):
    result, line = files
    (folder / "result.json").write_bytes(result)
    (folder / "metrics.jsonl").write_bytes(line)
    end, found = fuzzing.attempt(lambda: collect.load(tmp_path), tmp_path)
    assert end == "valid", "a report must not end for a run"
    run = found.runs[0]
    for metric in ("loss", "validation_loss"):
      x, y = run.curve("tokens", metric)
      assert x.shape == y.shape
    assert records.table_csv(found)
    return [run.status if run.status == "unreadable" else "readable"]

  inputs = st.tuples(fuzzing.texts([_RESULT]), fuzzing.texts(_LINES))
  shares = {"readable": 0.1, "unreadable": 0.1}
  fuzzing.fuzz("runs of a report", count, inputs, read, shares)
