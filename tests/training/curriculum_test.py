"""Shorter rows first."""

import dataclasses

import numpy as np
import pytest
from tiny import (
  metrics,
  pretrain,
  result_of,
  states,
  stop_at,
  without_yardsticks,
)

from lm_jax.config import Config
from lm_jax.runs import run
from lm_jax.support.errors import UsageError
from lm_jax.training import curriculum

STAGES = "0.3:16,0.6:32"


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
  without_yardsticks(monkeypatch)


def test_every_step_reads_as_many_tokens():
  config = Config(length=512, batch_size=8, curriculum="0.7:128,0.9:256")
  found = curriculum.stages(config)
  shapes = [(s.until, s.length, s.batch_size) for s in found]
  assert shapes == [(0.7, 128, 32), (0.9, 256, 16), (1.0, 512, 8)]
  (only,) = curriculum.stages(Config())
  assert (only.until, only.length, only.batch_size) == (1.0, 128, 32)


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("0.7", "'0.7' is not a share of the budget and a length"),
    ("0.7:x", "'0.7:x' is not a share"),
    ("0.7:32,0.6:64", "0.6 must lie between 0.7 and 1"),
    ("1:32", "1 must lie between 0 and 1"),
    ("nan:32", "nan must lie between 0 and 1"),
    ("0.5:8", "8 must be at least 16 and below --length=128"),
    ("0.5:128", "128 must be at least 16 and below --length=128"),
    ("0.5:48", "48 must divide the 4096 tokens of a step"),
  ],
)
def test_what_is_none(text, message, tiny):
  with pytest.raises(UsageError, match=f"--curriculum={text}: .*"):
    run.Run(Config(curriculum=text, data=tiny.data()))
  with pytest.raises(UsageError) as error:
    curriculum.stages(Config(curriculum=text))
  assert message in str(error.value)


@pytest.mark.parametrize(
  ("currency", "positions"),
  [
    ("steps", "learned"),
    ("flops", "rotary"),
    ("tokens", "learned"),
  ],
)
def test_stages_follow_the_budget(currency, positions, tiny, tmp_path):
  """Lengths, positions and the schedule, by what was spent."""
  amount = {"steps": 10, "flops": int(2e8), "tokens": 2500}[currency]
  config = tiny.config(
    tmp_path,
    length=64,
    batch_size=4,
    curriculum=STAGES,
    budget=f"{currency}:{amount}",
    eval_every=1000,
  )
  trunk = config.trunk | {"positions": positions}
  config = dataclasses.replace(config, trunk=trunk)
  assert pretrain(config)["status"] == "done"
  lines = [line for line in metrics(tmp_path) if "loss" in line]
  ledger = result_of(config)["ledger"]
  assert ledger["steps"] == len(lines)
  # All steps have 256 positions, whatever the length of their rows.
  assert ledger["positions"] == 256 * len(lines)
  if currency != "tokens":  # those are known after a step
    rates = [line["learning_rate"] for line in lines]
    last = rates[len(rates) // 2 :]
    assert last == sorted(last, reverse=True)
  # Attention of longer rows costs more: a stage can be told by its FLOPs.
  flops = np.diff([0, *(line["flops"] for line in lines)])
  assert (np.diff(flops) >= 0).all()
  kinds, counts = np.unique(flops, return_counts=True)
  assert len(kinds) == 3
  if currency == "steps":
    assert counts.tolist() == [3, 3, 4]
  key = "step" if currency == "steps" else currency
  spent = np.array([0, *(line[key] for line in lines)])[:-1] / amount
  stage = np.searchsorted(kinds, flops)
  assert (stage == np.digitize(spent, [0.3, 0.6])).all()


def test_it_goes_on_in_the_stage_where_it_was(tiny, tmp_path, monkeypatch):
  """Stopped before, at and after the borders: the same bits in the end."""
  options = {
    "length": 64,
    "batch_size": 2,
    "curriculum": STAGES,
    "budget": "steps:10",
    "eval_every": 1000,
  }
  whole = tiny.config(tmp_path / "whole", **options)
  digest = pretrain(whole)["digest"]
  parts = tiny.config(tmp_path / "parts", **options)
  stop_at(monkeypatch, {2, 3, 6, 7})
  for steps in (3, 4, 7, 8):
    result = pretrain(parts)
    assert (result["status"], result["step"]) == ("interrupted", steps)
  result = pretrain(parts)
  assert (result["status"], result["digest"]) == ("done", digest)
  assert [x["step"] for x in metrics(parts.workdir) if "loss" in x] == [
    *range(1, 11)
  ]
  assert 10 in states(parts)
