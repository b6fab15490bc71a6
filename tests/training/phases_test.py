"""Several objectives train one model: in turn, or by alternation."""

import signal

import numpy as np
import pytest
from tiny import metrics, pretrain, states, without_yardsticks

from lm_jax.data import rows as rows_lib


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
  without_yardsticks(monkeypatch)


def test_one_phase_is_the_objective_alone(tiny, tmp_path):
  """The same bits, and the same record but for the option itself."""
  plain = tiny.config(tmp_path / "plain", objective="mlm")
  phased = tiny.config(tmp_path / "phased", phases="mlm:1")
  one, other = pretrain(plain), pretrain(phased)
  assert one["digest"] == other["digest"]
  assert one["ledger"] | {"seconds": 0} == other["ledger"] | {"seconds": 0}


def test_flops_add_up(tiny, tmp_path):
  """Each phase's steps cost what they do in a run of that objective."""
  cost = {}
  for name in ("clm", "mlm"):
    alone = tiny.config(tmp_path / name, objective=name, budget="steps:1")
    cost[name] = pretrain(alone)["ledger"]["flops"]
  assert cost["clm"] > cost["mlm"]
  config = tiny.config(tmp_path / "both", phases="clm:0.5,mlm:0.5")
  ledger = pretrain(config)["ledger"]
  assert ledger["flops"] == 3 * cost["clm"] + 3 * cost["mlm"]
  assert ledger["steps"] == 6
  spent = [x["flops"] for x in metrics(config.workdir) if "loss" in x]
  steps = np.diff([0, *spent]).tolist()
  assert steps == [cost["clm"]] * 3 + [cost["mlm"]] * 3


OPTIONS = {
  "length": 32,
  "batch_size": 4,
  "budget": "steps:10",
  "eval_every": 1000,
}
# Of parameters that all phases share, of some that only one has, with stages.
KINDS = {
  "shares": {"phases": "clm:0.3,mlm(rate=0.3):0.7"},
  "each": {"phases": "clm:0.3,mlm:0.7", "phase_schedule": "each"},
  "own": {"phases": "rtd:0.3,mlm:0.3,clm:0.4"},
  "cycle": {"phases": "rtd:2,clm:1", "phase_cycle": "steps:3"},
  "stages": {"phases": "clm:0.3,mlm:0.7", "curriculum": "0.6:16"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_goes_on_in_the_phase_where_it_was(
  kind, tiny, tmp_path, monkeypatch
):
  """Stopped before, at and after the borders: the same bits in the end."""
  options = OPTIONS | KINDS[kind]
  whole = tiny.config(tmp_path / "whole", **options)
  digest = pretrain(whole)["digest"]
  parts = tiny.config(tmp_path / "parts", **options)
  batch, stops = rows_lib.Dataset.batch, {1, 2, 3, 5, 6}

  def batches(self, seed, batch_size, start=0, **_):
    """Asks for an end once, while the batch of a step is read."""
    for step in range(start, 100):
      if step in stops:
        stops.remove(step)
        signal.raise_signal(signal.SIGTERM)
      yield batch(self, seed, step, batch_size)

  monkeypatch.setattr(rows_lib.Dataset, "batches", batches)
  for steps in (2, 3, 4, 6, 7):
    result = pretrain(parts)
    assert (result["status"], result["step"]) == ("interrupted", steps)
  result = pretrain(parts)
  assert (result["status"], result["digest"]) == ("done", digest)
  assert [x["step"] for x in metrics(parts.workdir) if "loss" in x] == [
    *range(1, 11)
  ]
  assert 10 in states(parts)
