"""Branches: decayed at smaller spends, bit for bit runs of those budgets."""

import dataclasses
import json
import os
import signal
from pathlib import Path

import processes
import pytest
from tiny import files, metrics, pretrain, result_of, without_yardsticks

from lm_jax import config as config_lib
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.inference import load
from lm_jax.runs import run, session
from lm_jax.support.errors import UsageError

WSD = OptimizerOptions(schedule="wsd", warmup=0.0, decay=0.25)


@pytest.fixture(autouse=True)
def _unmeasured(monkeypatch):
  without_yardsticks(monkeypatch)


@pytest.fixture
def config(tiny, tmp_path):
  def make(name, budget="steps:12", **changes):
    options = {"optimizer": WSD, "eval_every": 0, "checkpoint_every": 5}
    return tiny.config(
      workdir=tmp_path / name, budget=budget, **(options | changes)
    )

  return make


def branch(config, name):
  path = Path(config.workdir, "branches", name, "result.json")
  return json.loads(path.read_text())


def timeless(result):
  ledger = {k: v for k, v in result["ledger"].items() if k != "seconds"}
  return result["digest"], ledger


def losses(config):
  return [x["loss"] for x in metrics(config.workdir) if "loss" in x]


@pytest.mark.parametrize(
  ("objective", "rate_at"),
  [("mlm", "end"), ("hybrid", "end"), ("clm", "start")],
)
def test_a_branch_is_the_run_of_that_budget(config, objective, rate_at):
  at = dataclasses.replace(WSD, rate_at=rate_at)
  options = {"objective": objective, "optimizer": at}
  alone = config("alone", "steps:8", **options)
  plain = config("plain", **options)
  whole = config("whole", branches="steps:8", **options)
  for one in (alone, plain, whole):
    assert pretrain(one)["status"] == "done"
  assert branch(whole, "steps-8")["digest"] == result_of(alone)["digest"]
  assert branch(whole, "steps-8")["metrics"] == result_of(alone)["metrics"]
  # It leaves no trace in the run but what it cost.
  assert result_of(whole)["digest"] == result_of(plain)["digest"]
  step = result_of(alone)["ledger"]["flops"] // 8
  ledger = result_of(whole)["ledger"]
  assert ledger.pop("branch_flops") == 3 * step
  assert timeless({"digest": "", "ledger": ledger}) == timeless(
    result_of(plain) | {"digest": ""}
  )
  assert [
    line["loss"] for line in metrics(whole.workdir) if "loss" in line
  ] == [line["loss"] for line in metrics(plain.workdir) if "loss" in line]


def test_every_currency_has_a_branch_that_ends_at_its_spend(config):
  whole = config(
    "whole",
    objective="mlm",
    branches="tokens:1000,targets:150,positions:1100",
  )
  pretrain(whole)
  for name, currency, amount, step in (
    ("tokens-1000", "tokens", 1000, 128),
    ("targets-150", "targets", 150, 20),
    ("positions-1100", "positions", 1100, 128),
  ):
    result = branch(whole, name)
    assert result["status"] == "done"
    assert abs(result["ledger"][currency] - amount) <= step


def test_a_budget_that_the_device_counts_decays_in_a_branch(config):
  whole = config("whole", "tokens:1536", branches="tokens:1024")
  alone = config("alone", "steps:8")
  for one in (whole, alone):
    pretrain(one)
  result = branch(whole, "tokens-1024")
  assert result["ledger"]["steps"] == 8
  last = metrics(Path(whole.workdir, "branches", "tokens-1024"))[-1]
  rates = [
    line["learning_rate"]
    for line in metrics(alone.workdir)
    if "learning_rate" in line
  ]
  assert last.get("learning_rate", rates[-1]) == pytest.approx(rates[-1])


def test_a_branch_is_a_model_of_its_own(config):
  whole = config("whole", branches="steps:8")
  pretrain(whole)
  model = load.load(str(Path(whole.workdir, "branches", "steps-8")))
  assert model.tokenizer is not None


# Ends a run at a step of a branch, as kill -9 would.
KILL = """
import os, pathlib, signal
from lm_jax import config
from lm_jax.storage import log
from lm_jax.runs import run
write = log.MetricsLog.write
def kill(self, step, values):
  write(self, step, values)
  if "branches" in str(self._path) and step == {step}:
    os.kill(os.getpid(), signal.SIGKILL)
log.MetricsLog.write = kill
text = pathlib.Path({given!r}).read_text()
run.Run(config.from_json(text)).execute(progress=False)
"""


@pytest.mark.parametrize("step", [6, 8])
def test_kill_9_in_a_branch_changes_no_bit(config, step, tmp_path):
  changes = {"objective": "mlm", "branches": "steps:8", "eval": "loss"}
  whole, killed = (config(n, **changes) for n in ("whole", "killed"))
  pretrain(whole)
  given = tmp_path / "given.json"
  given.write_text(config_lib.to_json(killed))
  code = KILL.format(step=step, given=str(given))
  done = processes.python("-c", code)
  assert done.returncode == -signal.SIGKILL, done.stderr
  assert not Path(killed.workdir, "branches", "steps-8", "result.json").exists()
  pretrain(killed)
  for pair in (
    (result_of(whole), result_of(killed)),
    (branch(whole, "steps-8"), branch(killed, "steps-8")),
  ):
    assert timeless(pair[0]) == timeless(pair[1])


@pytest.mark.parametrize(("where", "step"), [("whole", 11), ("steps-10", 9)])
def test_a_run_that_goes_on_counts_each_branch_once(
  config, monkeypatch, where, step
):
  changes = {"objective": "mlm", "branches": "steps:6,steps:10", "eval": "loss"}
  whole, cut = (config(n, **changes) for n in ("whole", "cut"))
  pretrain(whole)
  one = result_of(whole)["ledger"]["flops"] // 12
  assert result_of(whole)["ledger"]["branch_flops"] == (2 + 3) * one
  write = session.MetricsLog.write

  def interrupt(self, at, values):
    write(self, at, values)
    if self._path.parent.name == where.replace("whole", "cut") and at == step:
      os.kill(os.getpid(), signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(session.MetricsLog, "write", interrupt)
    assert pretrain(cut)["status"] == "interrupted"
  pretrain(cut)
  assert timeless(result_of(whole)) == timeless(result_of(cut))
  Path(cut.workdir, "result.json").unlink()  # killed while it was measured
  pretrain(cut)
  assert timeless(result_of(whole)) == timeless(result_of(cut))


def test_an_interruption_in_a_branch_ends_the_run_and_goes_on(
  config, monkeypatch
):
  changes = {"objective": "mlm", "branches": "steps:8", "eval": "loss"}
  whole, cut = (config(n, **changes) for n in ("whole", "cut"))
  pretrain(whole)
  write = session.MetricsLog.write

  def interrupt(self, at, values):
    write(self, at, values)
    if "branches" in str(self._path) and at == 6:
      os.kill(os.getpid(), signal.SIGTERM)

  with monkeypatch.context() as patch:
    patch.setattr(session.MetricsLog, "write", interrupt)
    assert pretrain(cut)["status"] == "interrupted"
  assert pretrain(cut)["status"] == "done"
  assert timeless(result_of(whole)) == timeless(result_of(cut))
  assert timeless(branch(whole, "steps-8")) == timeless(branch(cut, "steps-8"))


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"branches": "steps:12"}, "--branches=steps:12: must be below --budget"),
    ({"branches": "steps:3,steps:3"}, "the same spend twice"),
    ({"branches": "step:3"}, "--branches=step:3: did you mean steps"),
    ({"branches": "flops:9"}, "--branches=flops:9: one step costs"),
    (
      {"branches": "steps:4", "optimizer": OptimizerOptions()},
      "needs --optimizer.schedule=wsd",
    ),
    (
      {
        "branches": "steps:2",
        "optimizer": dataclasses.replace(WSD, warmup=0.5),
      },
      "before the warm-up ends; it must be at least steps:8",
    ),
    (
      {
        "branches": "tokens:300",
        "optimizer": dataclasses.replace(WSD, warmup=0.5),
      },
      "before the warm-up ends; it must be at least about tokens:1",
    ),
  ],
)
def test_what_cannot_branch_is_one_line(config, changes, message):
  with pytest.raises(UsageError) as error:
    pretrain(config("refused", **changes))
  assert message in str(error.value) and "\n" not in str(error.value)
  # It is still free for any run.
  assert not files(config("refused").workdir)


def test_a_spend_beyond_the_end_has_no_branch_and_a_line(config, capsys):
  whole = config("whole", branches="tokens:1e6")
  assert run.Run(whole).execute()["status"] == "done"
  assert not Path(whole.workdir, "branches").exists()
  assert "clm: no branch at tokens:1000000: the run" in capsys.readouterr().err
