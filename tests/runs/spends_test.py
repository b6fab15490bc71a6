"""Spends at which the arms of an experiment can be compared."""

import json
from pathlib import Path

import pytest
from tiny import without_yardsticks

from lm_jax import report
from lm_jax.commands import compare
from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.report import collect, ranking
from lm_jax.runs import pilot, spends
from lm_jax.support.errors import UsageError

WSD = OptimizerOptions(schedule="wsd", warmup=0.1, decay=0.1)


def arm(steps, seconds=1.0, **cost):
  """An arm whose step costs one of each currency unless said otherwise."""
  known = dict.fromkeys(("steps", *spends.CURRENCIES), 1.0)
  return pilot.Arm(
    Config(optimizer=WSD), steps, known | {"seconds": seconds} | cost
  )


def test_the_arm_that_goes_on_branches_where_the_other_ends():
  worked = spends.work_out(
    {"clm": arm(100, flops=2.0), "mlm": arm(200, targets=0.2)}
  )
  # Of clm 100 tokens and positions, of mlm 40 targets; FLOPs are equal.
  assert worked["mlm"] == "positions:100,seconds:60"
  assert worked["clm"] == "targets:40,seconds:60"


def test_spends_of_nearly_the_same_step_are_one_branch():
  worked = spends.work_out({"a": arm(100), "b": arm(200, positions=1.004)})
  assert worked == {"a": "seconds:60", "b": "flops:100,seconds:60"}
  worked = spends.work_out({"a": arm(100), "b": arm(200, positions=1.05)})
  assert worked["b"] == "flops:100,positions:100,seconds:60"


def test_no_branch_lies_before_the_warm_up_ends():
  # Of b's 1,000 steps 100 are warm-up: 90 steps or less cannot be decayed.
  assert spends.work_out({"a": arm(90), "b": arm(1000)})["b"] == ""
  assert "flops:120" in spends.work_out({"a": arm(120), "b": arm(1000)})["b"]


@pytest.fixture
def two_budgets(tiny, tmp_path, monkeypatch):
  """The flags of two arms that differ by their budgets, B and 2B."""
  without_yardsticks(monkeypatch)
  texts = {
    "objectives": ["mlm"],
    "sweep": ["budget=steps:30,steps:60"],
    "workdir": [str(tmp_path / "two")],
    "seeds": ["3"],
    "branches": ["auto"],
    "size": ["nano"],
    "length": ["32"],
    "batch_size": ["4"],
    "trunk.layers": ["1"],
    "trunk.width": ["32"],
    "trunk.heads": ["2"],
    "trunk.feedforward": ["64"],
    "data.corpus": [str(tiny.corpus)],
    "data.tokenizer": ["bytes"],
    "data.cache": [str(tiny.cache)],
    "optimizer.schedule": ["wsd"],
    "optimizer.decay": ["0.2"],
    # A branch has the warm-up of its run: without one it is the shorter run.
    "optimizer.warmup": ["0"],
    "checkpoint_every": ["0"],
    "eval_every": ["1000"],
  }
  return lambda **more: {**texts, **more}


def test_arms_identical_but_for_their_budgets_tie_in_every_currency(
  two_budgets,
):
  directory, statuses, _ = compare.run(two_budgets(), "x", False)
  assert set(statuses.values()) == {"done"}
  loaded = collect.load(directory)
  found = ranking.rankings(loaded, "validation_loss")
  exact = [r for r in found if r.currency != "seconds"]
  assert [r.currency for r in exact] == [
    *("flops", "tokens", "positions", "targets")
  ]
  for one in exact:
    assert one.tested and len(one.best) == 2, one
    assert not one.shares
    assert len(set(one.scores.values())) == 1  # to the last bit
  # By the clock of a busy machine a branch may end elsewhere: then the rank is
  # left out, and never that of a model that has not decayed.
  seconds = found[-1]
  assert len(seconds.best) in (0, 2)
  text = " ".join(report.table(directory).split())
  assert "are tied for the best" in text
  kept = Path(directory, spends.FILE).read_text()
  ends = {
    run.name: [one.ledger["steps"] for one in run.decayed]
    for run in loaded.runs
  }
  # Again: nothing is timed, nothing trained, and two more seeds fit in.
  _, statuses, _ = compare.run(two_budgets(seeds=["4"]), "x", False)
  assert set(statuses.values()) == {"done"} and len(statuses) == 8
  assert Path(directory, spends.FILE).read_text() == kept
  again = collect.load(directory)
  assert (
    ends.items()
    <= {
      run.name: [one.ledger["steps"] for one in run.decayed]
      for run in again.runs
    }.items()
  )


def test_without_a_stable_phase_there_are_no_branches(two_budgets, capsys):
  flags = two_budgets(seeds=["1"])
  flags["optimizer.schedule"] = ["cosine"]
  del flags["optimizer.decay"]
  directory, statuses, _ = compare.run(flags, "x", True)
  assert "--branches=auto: no branches" in capsys.readouterr().err
  assert set(statuses.values()) == {"done"}
  known = json.loads(Path(directory, spends.FILE).read_text())
  assert {one["branches"] for one in known.values()} == {""}


def test_a_bad_branch_is_told_before_anything_runs(two_budgets):
  with pytest.raises(UsageError, match="--branches=tokens:1: one step costs"):
    compare.run(two_budgets(branches=["tokens:1"]), "x", False)
  assert not Path(two_budgets()["workdir"][0]).exists()
