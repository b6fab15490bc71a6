import dataclasses
import itertools
import json
import os
import shutil
import signal
import struct
from pathlib import Path

import jax
import numpy as np
import processes
import pytest
from tiny import files, metrics, pretrain, result_of, states

from lm_jax import config as config_lib
from lm_jax import loaded_model
from lm_jax.data import rows as rows_lib
from lm_jax.inference import load
from lm_jax.runs import measure as measuring
from lm_jax.runs import run
from lm_jax.storage import checkpoint
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble, train


def timeless(lines):
  return [line | {"seconds": 0} for line in lines]


def events(directory):
  """The (tag, step) of logged steps in TensorBoard's files.

  Without hyperparameters and final metrics (tests/trackers).
  """
  from tensorboardX.proto.event_pb2 import Event

  found = []
  for path in Path(directory, "events").iterdir():
    data = path.read_bytes()
    while data:
      (size,) = struct.unpack("<Q", data[:8])
      event = Event.FromString(data[12 : 12 + size])
      found += [
        (v.tag, event.step)
        for v in event.summary.value
        if not v.tag.startswith(("_hparams_/", "final/"))
      ]
      data = data[16 + size :]
  return found


def test_what_a_run_leaves_behind(finished):
  directory = Path(finished.workdir)
  stored = config_lib.read(str(directory))
  assert stored == config_lib.resolve(finished)
  result = result_of(finished)
  assert result["status"] == "done"
  assert result["step"] == 6
  assert result["error"] is None
  assert result["objective"] == result["arm"] == "clm"
  assert result["scoring"] == "log_likelihood"
  items = result["items"]["minimal_pairs"]
  assert result["metrics"]["minimal_pairs"] == np.mean(items)
  names = {"validation_loss", "minimal_pairs", "bits_per_byte"}
  assert names <= set(result["metrics"])
  assert all(isinstance(v, float) for v in result["metrics"].values())

  last = states(finished)[6]
  assert result["digest"] == checkpoint.digest(last.params)
  sizes = [leaf.size for leaf in jax.tree.leaves(last.params)]
  assert result["parameters"] == sum(sizes)

  lines = metrics(directory)
  assert [x["step"] for x in lines if "loss" in x] == [1, 2, 3, 4, 5, 6]
  assert [x["step"] for x in lines if "validation_loss" in x] == [3, 6]
  assert all(isinstance(v, int | float) for x in lines for v in x.values())
  named = {(k, x["step"]) for x in lines for k in x if k != "step"}
  assert set(events(directory)) == named
  tokenizer = load.load(finished.workdir).tokenizer
  text = "We act."
  assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_runs_tokenizer_gives_the_same_rows(finished, tmp_path):
  path = Path(finished.workdir, loaded_model.TOKENIZER)
  dataset = rows_lib.load(finished.data, finished.length)
  options = dataclasses.replace(finished.data, tokenizer=str(path), sentinels=0)
  again = rows_lib.load(options, finished.length)
  assert again.fingerprint == dataset.fingerprint
  assert again.specials == dataset.specials
  run.Run(dataclasses.replace(finished, data=options, workdir=""))
  # Runs of older versions have no specials.json.
  shutil.copytree(finished.workdir, tmp_path, dirs_exist_ok=True)
  (tmp_path / "specials.json").unlink()
  old = load.load(str(tmp_path)).tokenizer
  assert old.specials == dataset.specials
  assert old.fingerprint == dataset.tokenizer.fingerprint


def test_the_ledger_is_what_was_read_and_predicted(finished):
  dataset = rows_lib.load(finished.data, finished.length)
  tokens = targets = 0
  for step in range(6):
    rows = dataset.batch(finished.seed, step, finished.batch_size)
    for segment_L in rows.segment_BxL.tolist():
      tokens += sum(s > 0 for s in segment_L)
      targets += sum(a == b > 0 for a, b in itertools.pairwise(segment_L))
  program = assemble.make_program(finished, dataset)
  ledger = result_of(finished)["ledger"]
  assert 0 < ledger.pop("seconds") < 60
  assert ledger == {
    "steps": 6,
    "tokens": tokens,
    "targets": targets,
    "positions": 6 * 4 * 32,
    "flops": 6 * program.flops,
    "epochs": pytest.approx(6 * 4 / dataset.rows("train")),
  }
  first = metrics(finished.workdir)[0]
  assert first["flops"] == program.flops
  assert 0 < first["tokens"] <= 4 * 32


def test_a_finished_run_is_reused(finished, monkeypatch):
  before = files(finished.workdir)
  monkeypatch.setattr(train, "fit", None)
  # What does not change the result may be another.
  again = dataclasses.replace(finished, log_every=5, name="x")
  assert pretrain(again) == result_of(finished)
  assert files(finished.workdir) == before


def test_another_run_is_refused_and_nothing_overwritten(finished):
  before = files(finished.workdir)
  other = dataclasses.replace(finished, seed=1, batch_size=8)
  message = r"batch_size: 4 -> 8; seed: 0 -> 1\); name another directory"
  with pytest.raises(UsageError, match=message):
    pretrain(other)
  assert files(finished.workdir) == before


def test_an_interrupted_run_goes_on_to_the_same_end(
  tiny, finished, tmp_path, monkeypatch
):
  measure = measuring.evaluate

  def interrupt(*args, **options):
    os.kill(os.getpid(), signal.SIGTERM)
    return measure(*args, **options)

  config = dataclasses.replace(
    finished, workdir=str(tmp_path), checkpoint_every=0
  )
  with monkeypatch.context() as patch:
    patch.setattr(measuring, "evaluate", interrupt)
    first = pretrain(config)
  assert (first["status"], first["step"]) == ("interrupted", 3)
  assert result_of(config) == first
  assert pretrain(config)["digest"] == result_of(finished)["digest"]
  same_but_for_the_clock(config, finished)
  assert len(events(tmp_path)) == len(events(finished.workdir))


def same_but_for_the_clock(config, other):
  one, two = result_of(config), result_of(other)
  for result in (one, two):
    result["ledger"]["seconds"] = result["wall_seconds"] = 0
  assert one == two
  assert timeless(metrics(config.workdir)) == timeless(metrics(other.workdir))


def test_a_killed_run_goes_on_to_the_same_end(finished, tmp_path):
  # Killed at step 5; the last checkpoint is of step 4, or of 2 if the save
  # was still going on.
  config = dataclasses.replace(finished, workdir=str(tmp_path))
  (tmp_path / "given.json").write_text(config_lib.to_json(config))
  code = f"""
import os, pathlib, signal
from lm_jax import config
from lm_jax.storage import log
from lm_jax.runs import run
write = log.MetricsLog.write
def kill(self, step, values):
  write(self, step, values)
  if step == 5:
    self._file.write('{{"step": 6, "lo')
    self._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
log.MetricsLog.write = kill
text = pathlib.Path({str(tmp_path)!r}, "given.json").read_text()
run.Run(config.from_json(text)).execute(progress=False)
"""
  done = processes.python("-c", code)
  assert done.returncode == -signal.SIGKILL
  assert not (tmp_path / "result.json").exists()
  assert metrics_of_a_killed_run(tmp_path) == 5
  pretrain(config)
  same_but_for_the_clock(config, finished)


def metrics_of_a_killed_run(directory):
  """The last step that was logged before the half line."""
  *lines, half = Path(directory, "metrics.jsonl").read_text().splitlines()
  assert half == '{"step": 6, "lo'
  return json.loads(lines[-1])["step"]


def test_killed_before_its_result_a_run_is_only_measured(finished, tmp_path):
  shutil.copytree(finished.workdir, tmp_path, dirs_exist_ok=True)
  (tmp_path / "result.json").unlink()
  log = (tmp_path / "metrics.jsonl").read_text()
  config = dataclasses.replace(finished, workdir=str(tmp_path))
  pretrain(config)
  same_but_for_the_clock(config, finished)
  assert (tmp_path / "metrics.jsonl").read_text() == log


@pytest.mark.parametrize(
  ("wrong", "message"),
  [
    ({"batch_size": 10**6}, "--batch_size=1000000: the training split"),
    ({"budget": "flops:10"}, "--budget=flops:10: one step costs"),
  ],
)
def test_a_mistake_does_not_take_the_directory(
  tiny, finished, tmp_path, wrong, message, monkeypatch
):
  with pytest.raises(UsageError, match=message):
    pretrain(tiny.config(tmp_path, **wrong))
  assert not (tmp_path / "config.json").exists()
  monkeypatch.setattr(run, "_train", lambda *_: "runs")
  assert pretrain(tiny.config(tmp_path)) == "runs"


def _spoilt(finished, tmp_path, **changes):
  """What no learning rate of that size survives."""
  optimizer = dataclasses.replace(
    finished.optimizer, learning_rate=1e30, warmup=0.0, schedule="constant"
  )
  return dataclasses.replace(
    finished,
    workdir=str(tmp_path),
    optimizer=optimizer,
    checkpoint_every=1,
    **changes,
  )


@pytest.mark.parametrize(
  ("changes", "words", "steps"),
  [
    ({"log_every": 100}, "what it gives at step 3 is not finite", 3),
    (
      {"eval_every": 100, "budget": "steps:30", "skip_limit": 4},
      "the loss or its gradient is not finite from step 2 to 5",
      6,
    ),
  ],
)
def test_a_run_that_diverges_saves_nothing_that_is_not_finite(
  finished, tmp_path, changes, words, steps
):
  config = _spoilt(finished, tmp_path, **changes)
  result = pretrain(config)
  assert result["status"] == "diverged"
  assert result["error"].startswith(words)
  assert result["step"] <= steps
  metrics(tmp_path)
  checkpoints = tmp_path / "checkpoints"
  if any(path.name.isdigit() for path in checkpoints.iterdir()):
    for state in states(config).values():
      for leaf in jax.tree.leaves((state.params, state.optimizer)):
        assert np.isfinite(leaf).all()
  # It would end so each time, and is not tried again.
  before = files(tmp_path)
  assert pretrain(config) == result
  assert files(tmp_path) == before
