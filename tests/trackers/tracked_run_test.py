"""Runs that are tracked: interrupted, gone on with, read back offline."""

import importlib
import json
import struct
import time

import events
import pytest
import tiny as tiny_lib
from tiny import metrics, pretrain, result_of, stop_at

from lm_jax import cli

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def tracked(tiny, tmp_path, monkeypatch):
  """Makes a run by a tracker that is interrupted once; returns its config."""
  monkeypatch.setenv("WANDB_MODE", "offline")
  for name in ("WANDB_DIR", "MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
    monkeypatch.delenv(name, raising=False)
  tiny_lib.without_yardsticks(monkeypatch)

  def make(*trackers):
    place = tmp_path / "mine" / "runs" / "clm-seed0"
    names = {"arm": "clm", "name": "clm-seed0"}
    config = tiny.config(place, trackers=trackers, **names)
    stop_at(monkeypatch, [3])
    assert pretrain(config)["status"] == "interrupted"
    time.sleep(1.1)  # wandb names a directory by the second
    assert pretrain(config)["status"] == "done"
    return config

  return make


def _points(config):
  """The (step, name, value) of metrics.jsonl, the first of each."""
  points = {}
  for line in metrics(config.workdir):
    for name, value in line.items():
      if name != "step" and value is not None:
        points.setdefault((line["step"], name), value)
  return sorted((*key, value) for key, value in points.items())


def test_tensorboard(tracked):
  config = tracked("tensorboard")
  shown = [p for p in events.scalars(config.workdir) if "final/" not in p[1]]
  assert [point[:2] for point in sorted(shown)] == [
    point[:2] for point in _points(config)
  ]
  final = {p[1]: p[2] for p in events.scalars(config.workdir)}
  loss = result_of(config)["metrics"]["validation_loss"]
  assert final["final/validation_loss"] == pytest.approx(loss)


def test_mlflow(tracked, tmp_path):
  pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
  from mlflow.tracking import MlflowClient

  config = tracked("tensorboard", "mlflow")
  client = MlflowClient((tmp_path / "mine" / "mlruns").as_uri())
  experiment = client.get_experiment_by_name("mine")
  [run] = client.search_runs([experiment.experiment_id])
  assert run.info.status == "FINISHED"
  assert run.data.tags["arm"] == "clm"
  assert run.info.run_name == "clm-seed0"
  assert run.data.params["optimizer.learning_rate"] == "0.001"
  assert float(run.data.metrics["final.validation_loss"]) == pytest.approx(
    result_of(config)["metrics"]["validation_loss"]
  )
  sent = sorted(
    (point.step, name, point.value)
    for name in run.data.metrics
    if not name.startswith("final.")
    for point in client.get_metric_history(run.info.run_id, name)
  )
  assert sent == [
    (step, name.replace("/", "."), value)
    for step, name, value in _points(config)
  ]


def _records(path):
  """The records of a .wandb file: LevelDB's log behind seven bytes."""
  from wandb.proto.wandb_internal_pb2 import Record

  data, place, whole = path.read_bytes(), 7, b""
  while place + 7 <= len(data):
    left = 32768 - place % 32768
    if left < 7:
      place += left
      continue
    length, kind = struct.unpack("<HB", data[place + 4 : place + 7])
    whole += data[place + 7 : place + 7 + length]
    place += 7 + length
    if kind in (1, 4):  # a whole record, or the last part of one
      yield Record.FromString(whole)
      whole = b""


def test_wandb(tracked, tmp_path):
  pytest.importorskip("wandb", reason="the extra wandb is not installed")
  config = tracked("wandb")
  for _ in range(100):  # the process that writes is another one
    files = sorted((tmp_path / "mine").rglob("*.wandb"))
    records = [record for file in files for record in _records(file)]
    if sum(record.HasField("exit") for record in records) == 2:
      break
    time.sleep(0.2)
  assert len(files) == 2
  runs = [r.run for r in records if r.WhichOneof("record_type") == "run"]
  assert len({run.run_id for run in runs}) == 1
  assert {(r.run_group, r.job_type, r.display_name) for r in runs} == {
    ("mine", "clm", "clm-seed0")
  }
  settings = {
    item.key: json.loads(item.value_json) for item in runs[0].config.update
  }
  assert settings["optimizer.learning_rate"] == 1e-3
  sent = []
  for record in records:
    if record.WhichOneof("record_type") == "history":
      row = {
        item.key or item.nested_key[0]: json.loads(item.value_json)
        for item in record.history.item
      }
      step = row.pop("_step")
      sent += [(step, n, v) for n, v in row.items() if n[0] != "_"]
  assert sorted(sent) == _points(config)
  ends = [r.exit.exit_code for r in records if r.HasField("exit")]
  assert ends == [1, 0]


def test_a_tracker_that_cannot_be_reached_stops_nothing(
  tiny, tmp_path, monkeypatch, capsys
):
  pytest.importorskip("mlflow", reason="the extra mlflow is not installed")
  monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
  monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
  tiny_lib.without_yardsticks(monkeypatch)
  config = tiny.config(tmp_path / "run", trackers=("mlflow",))
  assert pretrain(config)["status"] == "done"
  error = capsys.readouterr().err
  assert error.count("--trackers=mlflow: clm goes on without it:") == 1
  assert len(metrics(config.workdir)) > 5


@pytest.mark.parametrize("command", ["train", "compare"])
def test_what_is_not_installed_is_told_before_anything_is_run(
  command, tmp_path, monkeypatch, capsys
):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setitem(importlib.sys.modules, "wandb", None)
  place = f"--workdir={tmp_path / 'run'}"
  assert cli.main([command, "--trackers=tensorboard,wandb", place]) == 2
  assert capsys.readouterr().err == (
    "lm_jax: --trackers=wandb: needs wandb; pip install 'lm_jax[wandb]'\n"
  )
  assert not list(tmp_path.iterdir())
