"""Tuning on the page: what was tried, what it cost, who has no rank."""

import json_files
import pytest

from lm_jax import report
from lm_jax.report import collect, compare, ranking, tuning


@pytest.fixture
def tuned(experiment):
  """An experiment of three seeds whose arms were tuned."""
  root = experiment(seeds=3, arms=("clm", "mlm", "rtd"))

  def make(**boundary):
    arms = {
      arm: {
        "measure": "validation_loss",
        "flops": 2e12,
        "trials": [{"score": 3.5}, {"score": None}],
        "chosen": {"optimizer.learning_rate": "0.004"},
        "best": [[1, 3.6, 3.5, 3.7], [2, 3.5, 3.4, 3.6]],
        "boundary": boundary.get(arm, []),
      }
      for arm in ("clm", "mlm", "rtd")
    }
    with json_files.edited(root / "experiment.json") as about:
      about["tuning"] = {
        "space": ["optimizer.learning_rate:log:0.0001:0.01"],
        "trials": 2,
        "studies": 1,
        "sampler": "sobol",
        "arms": arms,
      }
    return root

  return make


EDGE = ["optimizer.learning_rate"]


def test_the_page_tells_trials_choice_and_cost(tuned):
  root = tuned()
  report.write(root)
  text = (root / "report.md").read_text()
  assert (
    "| mlm | 2 | own validation loss | 3.500 | learning_rate 0.004 |" in text
  )
  assert "6.00e12 before them for tuning" in text
  assert "not ranked" not in text


def test_an_arm_at_the_edge_has_no_rank(tuned):
  experiment = collect.load(tuned(mlm=EDGE))
  analysis = compare.analyse(experiment)
  for rank in ranking.rankings(experiment, analysis.metric):
    assert "mlm" not in rank.scores and "mlm" not in rank.shares
  (mlm,) = [d for d in analysis.differences if d.arm == "mlm"]
  assert mlm.claim == ""
  assert mlm.verdict.startswith("not ranked: mlm's tuning ended at a boundary")
  assert all("not ranked" not in d.verdict for d in analysis.differences[1:])
  report.write(experiment.directory)
  text = (experiment.directory / "report.md").read_text()
  assert "mlm: not ranked, since tuning ended at the edge of a range." in text


def test_a_baseline_at_the_edge_leaves_nothing_to_claim(tuned):
  root = tuned(clm=EDGE)
  analysis = compare.analyse(collect.load(root))
  assert not any(d.claim for d in analysis.differences)
  assert all("clm's tuning" in d.verdict for d in analysis.differences)


def test_an_experiment_without_tuning_has_none():
  assert tuning.read({}) == {} and tuning.blocks({}) == []
