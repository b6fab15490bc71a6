"""Regimes, claims and kinds of likelihood."""

import json_files
import numpy as np
import pytest
from json_files import edited

from lm_jax.report import collect, compare, prose


def _set_items(root, scores):
  """Replaces the item scores; `scores` maps a run's name to a list."""
  for name, values in scores.items():
    with edited(root / "runs" / name / "result.json") as result:
      result["items"]["minimal_pairs"] = values
      result["metrics"]["minimal_pairs"] = float(np.mean(values))


@pytest.mark.parametrize(
  ("seeds", "bad", "regime", "tested"),
  [
    (1, {}, "items", []),
    (2, {}, "items", []),
    (3, {}, "seeds", ["mlm", "rtd"]),
    (3, {"mlm-2": "failed"}, "seeds", ["rtd"]),
    (3, {"clm-0": ""}, "seeds", []),
  ],
)
def test_below_three_seeds_an_arm_is_described_only(
  experiment, seeds, bad, regime, tested
):
  root = experiment(seeds=seeds, bad=bad, arms=("clm", "mlm", "rtd"), items=20)
  analysis = compare.analyse(collect.load(root))
  assert analysis.regime == regime
  for difference in analysis.differences:
    shown = difference.arm in tested
    assert (difference.p_seeds is not None) == shown
    assert (difference.seeds is not None) == shown
    if not shown:
      assert difference.claim == ""
      assert "these checkpoints" in difference.verdict
  for arm in analysis.arms:
    estimate = arm.metrics["probe/era"]
    assert (estimate.low is not None) == (arm.done >= 3)


def test_claims_follow_one_corrected_p_and_its_interval(experiment):
  arms = ("clm", "mlm", "rtd", "prefix_lm")
  root = experiment(arms=arms, items=8, seeds=4)
  rng = np.random.default_rng(0)
  base_I = (rng.random(400) < 0.5).astype(float)
  scores = {}
  for arm, skill in zip(arms, (0.02, 0.02, 0.6, 0.03), strict=True):
    for seed in range(4):
      better_I = rng.random(400) < skill
      scores[f"{arm}-{seed}"] = np.maximum(base_I, better_I).tolist()
  _set_items(root, scores)
  analysis = compare.analyse(collect.load(root))
  mlm, rtd, _ = analysis.differences
  assert (rtd.arm, rtd.claim) == ("rtd", "better")
  assert rtd.verdict == "better than clm"
  assert rtd.p_seeds >= rtd.seeds.p
  assert (mlm.claim, mlm.verdict) == ("", "not shown to differ from clm")
  assert prose.answer(analysis) == (
    "rtd beats clm on minimal pairs; no difference from clm is shown for mlm"
    " and prefix_lm (4 seeds an arm, underpowered)."
  )
  for difference in analysis.differences:
    leaves_out = difference.wide.low > 0 or difference.wide.high < 0
    assert leaves_out == bool(difference.claim)
    assert bool(difference.claim) <= (difference.seeds.p < 0.05)
    assert difference.wide.low <= difference.seeds.low


def test_two_seeds_that_agree_claim_nothing(experiment):
  """p 0.003 over two seeds became 0.299 with a third."""
  root = experiment(arms=("clm", "mlm"), items=8)
  for arm, right in (("clm", 200), ("mlm", 260)):
    scores_I = np.r_[np.ones(right), np.zeros(360 - right)].tolist()
    _set_items(root, {f"{arm}-{seed}": scores_I for seed in (0, 1)})
  analysis = compare.analyse(collect.load(root))
  (mlm,) = analysis.differences
  assert (mlm.claim, mlm.p_seeds) == ("", None)
  assert mlm.verdict == "these checkpoints only: better than clm"
  assert prose.answer(analysis) == (
    "No claim on objectives: fewer than 3 seeds an arm (minimal pairs). These"
    " checkpoints only: mlm beats clm on minimal pairs."
  )


def test_seeds_of_its_own_are_compared_unpaired(experiment):
  root = experiment(arms=("clm", "mlm"), items=30, seeds=3)
  with edited(root / "experiment.json") as about:
    for run in about["runs"]:
      run["seed"] += 10 * (run["arm"] == "mlm")
  (mlm,) = compare.analyse(collect.load(root)).differences
  assert (mlm.seeds.n, mlm.p_seeds is None) == (3, False)


def test_the_spread_of_another_arm_changes_no_interval(experiment):
  """As one variance for all arms did."""
  root = experiment(arms=("clm", "mlm", "rtd"), items=40, seeds=3)
  before = compare.analyse(collect.load(root)).differences[0].seeds
  _set_items(
    root, {f"rtd-{n}": [1.0] * 20 * n + [0.0] * (40 - 20 * n) for n in range(3)}
  )
  assert compare.analyse(collect.load(root)).differences[0].seeds == before


def test_the_page_names_an_arm_that_scatters(experiment):
  root = experiment(arms=("clm", "mlm", "rtd"), items=200, seeds=4)
  rng = np.random.default_rng(0)
  for run in range(4):
    for arm in ("clm", "mlm", "rtd"):
      share = 0.6 + (0.25 * (-1) ** run if arm == "rtd" else 0)
      scores_I = (rng.permutation(200) < 200 * share + run).astype(float)
      _set_items(root, {f"{arm}-{run}": scores_I.tolist()})
  analysis = compare.analyse(collect.load(root))
  assert [s.arm for s in analysis.scattering] == ["rtd"]
  assert any(
    "rtd scatters over seeds" in note for note in prose.notes(analysis)
  )


def test_bits_per_byte_have_each_arms_own_interval(experiment):
  root = experiment(seeds=3)
  for name, bits in (("clm-0", 1.0), ("clm-1", 1.2), ("permutation_lm-0", 9.0)):
    with edited(root / "runs" / name / "result.json") as result:
      result["metrics"]["bits_per_byte"] = bits
  analysis = compare.analyse(collect.load(root))

  def width(arm):
    estimate = analysis.arm(arm).metrics["bits_per_byte"]
    return estimate.high - estimate.low

  assert width("permutation_lm") > 5 * width("clm") > 50 * width("prefix_lm")
  assert "bits_per_byte" not in analysis.arm("rtd").metrics


def test_items_of_another_length_are_not_paired(experiment):
  root = experiment(arms=("clm", "mlm"), seeds=3)
  _set_items(root, {"mlm-0": [1.0, 0.0]})
  analysis = compare.analyse(collect.load(root))
  assert analysis.differences[0].items is None
  assert analysis.differences[0].seeds is not None


def test_failed_runs_count_in_no_mean(experiment):
  root = experiment(bad={"mlm-1": "failed"})
  arm = compare.analyse(collect.load(root)).arm("mlm")
  only = json_files.read(root / "runs" / "mlm-0" / "result.json")
  assert (arm.done, arm.planned) == (1, 2)
  assert arm.metrics["minimal_pairs"].value == only["metrics"]["minimal_pairs"]
