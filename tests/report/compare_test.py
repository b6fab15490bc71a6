"""Regimes, claims and kinds of likelihood."""

import json

import numpy as np
import pytest

from lm_jax.report import collect, compare


def _set_items(root, scores):
  """Replaces the item scores; `scores` maps a run's name to a list."""
  for name, values in scores.items():
    path = root / "runs" / name / "result.json"
    result = json.loads(path.read_text())
    result["items"]["minimal_pairs"] = values
    result["metrics"]["minimal_pairs"] = float(np.mean(values))
    path.write_text(json.dumps(result))


@pytest.mark.parametrize(
  ("seeds", "bad", "regime"),
  [
    (1, {}, "items"),
    (2, {}, "t"),
    (5, {}, "bootstrap"),
    (5, {"mlm-4": "failed"}, "t"),
    (2, {"clm-0": "", "mlm-1": "", "rtd-0": "failed"}, "items"),
  ],
)
def test_regime_goes_by_the_smallest_arm(experiment, seeds, bad, regime):
  root = experiment(seeds=seeds, bad=bad, arms=("clm", "mlm", "rtd"), items=20)
  analysis = compare.analyse(collect.load(root))
  assert analysis.regime == regime
  for difference in analysis.differences:
    assert (difference.p_seeds is None) == (regime == "items")


def test_claims_follow_the_corrected_p_over_seeds_and_items(experiment):
  arms = ("clm", "mlm", "rtd", "prefix_lm")
  root = experiment(arms=arms, items=8)
  rng = np.random.default_rng(0)
  base_I = (rng.random(400) < 0.5).astype(float)
  scores = {}
  for arm, skill in zip(arms, (0.02, 0.02, 0.45, 0.03), strict=True):
    for seed in (0, 1):
      better_I = rng.random(400) < skill
      scores[f"{arm}-{seed}"] = np.maximum(base_I, better_I).tolist()
  _set_items(root, scores)
  analysis = compare.analyse(collect.load(root))
  mlm, rtd, _ = analysis.differences
  assert (rtd.arm, rtd.claim) == ("rtd", "better")
  assert rtd.verdict == "better than clm over seeds (few seeds)"
  assert rtd.p_seeds >= rtd.seeds.p
  assert rtd.p_items < 0.01
  # Three more items right, with both seeds: the items don't bear it out.
  assert mlm.p_seeds < 0.05 < mlm.p_items
  assert (mlm.claim, mlm.verdict) == (
    "",
    "better over seeds (few seeds), but not shown over items",
  )


def test_bits_per_byte_pool_within_one_kind_only(experiment):
  root = experiment()
  for name, bits in (("clm-0", 1.0), ("clm-1", 1.2), ("mlm-0", 9.0)):
    path = root / "runs" / name / "result.json"
    result = json.loads(path.read_text())
    result["metrics"]["bits_per_byte"] = bits
    path.write_text(json.dumps(result))
  analysis = compare.analyse(collect.load(root))

  def width(arm):
    estimate = analysis.arm(arm).metrics["bits_per_byte"]
    return estimate.high - estimate.low

  assert width("clm") == pytest.approx(width("prefix_lm"))
  assert width("mlm") > 10 * width("clm")
  assert "bits_per_byte" not in analysis.arm("rtd").metrics


def test_items_of_another_length_are_not_paired(experiment):
  root = experiment(arms=("clm", "mlm"))
  _set_items(root, {"mlm-0": [1.0, 0.0]})
  analysis = compare.analyse(collect.load(root))
  assert analysis.differences[0].items is None
  assert analysis.differences[0].seeds is not None


def test_failed_runs_count_in_no_mean(experiment):
  root = experiment(bad={"mlm-1": "failed"})
  arm = compare.analyse(collect.load(root)).arm("mlm")
  path = root / "runs" / "mlm-0" / "result.json"
  only = json.loads(path.read_text())
  assert (arm.done, arm.planned) == (1, 2)
  assert arm.metrics["minimal_pairs"].value == only["metrics"]["minimal_pairs"]
