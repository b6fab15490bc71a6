"""Rankings at equal spend."""

import json

import pytest

from lm_jax import report
from lm_jax.report import collect, ranking


def _experiment(experiment, curves, seeds=1):
  """curves: arm -> seed -> [(flops, targets, score)]."""
  root = experiment(arms=tuple(curves), seeds=seeds, items=4)
  for arm, runs in curves.items():
    for seed, points in enumerate(runs):
      lines = [
        json.dumps(
          {"step": i, "flops": f, "targets": t, "minimal_pairs": score}
        )
        for i, (f, t, score) in enumerate(points)
      ]
      path = root / "runs" / f"{arm}-{seed}" / "metrics.jsonl"
      path.write_text("\n".join(lines) + "\n")
  return collect.load(root)


def test_interpolates_at_the_largest_spend_that_all_reached(experiment):
  loaded = _experiment(
    experiment,
    {
      "clm": [[(0, 0, 0.5), (10, 100, 0.7)]],
      "mlm": [[(0, 0, 0.5), (10, 20, 0.65)]],
    },
  )
  flops, targets = ranking.rankings(loaded, "minimal_pairs")
  assert (flops.currency, flops.spend) == ("flops", 10)
  assert flops.order == ["clm", "mlm"]
  assert (targets.currency, targets.spend) == ("targets", 20)
  assert targets.scores == pytest.approx({"mlm": 0.65, "clm": 0.54})
  # clm had gone through a fifth of its schedule.
  assert targets.shares == pytest.approx({"clm": 0.2, "mlm": 1.0})
  assert targets.flips == ()
  assert flops.fair and not targets.fair


def test_never_reads_a_curve_before_its_first_evaluation(experiment):
  loaded = _experiment(
    experiment,
    {
      "clm": [[(5, 50, 0.6), (10, 100, 0.7)]],
      "mlm": [[(5, 10, 0.6), (10, 20, 0.65)]],
    },
  )
  _, targets = ranking.rankings(loaded, "minimal_pairs")
  assert targets.order == ["mlm"]


@pytest.mark.parametrize(("noise", "shown"), [(0.02, True), (0.8, False)])
def test_a_flip_is_shown_beyond_the_spread_over_seeds(experiment, noise, shown):
  # By the least budget, that of rtd, the others have gone through a half of
  # their schedules at 5 flops, and through a quarter at 25 targets.
  def curve(quarter, half):
    scores = (0.5, quarter, half, 0.7, 0.7)
    return [(2.5 * i, 25 * i, score) for i, score in enumerate(scores)]

  curves = {
    "clm": [curve(0.7 + noise * s, 0.6 + noise * s) for s in (0, 0.1, -0.1)],
    "mlm": [curve(0.6 + noise * s, 0.7 + noise * s) for s in (0.1, -0.1, 0)],
    "rtd": [[(0, 0, 0.5), (5, 25, 0.55)]] * 3,
  }
  loaded = _experiment(experiment, curves, seeds=3)
  flops, targets = ranking.rankings(loaded, "minimal_pairs")
  assert flops.shares == pytest.approx({"clm": 0.5, "mlm": 0.5, "rtd": 1.0})
  assert targets.shares["clm"] == pytest.approx(0.25)
  (flip,) = targets.flips
  assert (flip.ahead, flip.behind, flip.shown) == ("clm", "mlm", shown)


def test_identical_arms_of_two_budgets_are_not_ranked(experiment):
  """A is evaluated at its end, B, which has twice the budget, half-way."""
  short = [(0, 0, 0.5), (5, 50, 0.62), (10, 100, 0.697)]
  long = [(0, 0, 0.5), (10, 100, 0.679), (20, 200, 0.74)]
  root = _experiment(experiment, {"clm": [short], "mlm": [long]}).directory
  for arm, budget in (("clm", 10), ("mlm", 20)):
    path = root / "runs" / f"{arm}-0" / "config.json"
    settings = {"budget": f"flops:{budget}", "objective": arm}
    path.write_text(json.dumps(settings))
  loaded = collect.load(root)
  for found in ranking.rankings(loaded, "minimal_pairs"):
    assert found.shares == pytest.approx({"clm": 1.0, "mlm": 0.5})
    assert not found.fair and found.flips == ()
  text = report.table(root)
  assert "69.7 (100 %)" in text and "67.9 (50 %)" in text
  assert "1. 69.7" not in text and "flips against" not in text
  flat = " ".join(text.split())
  assert "other shares of their schedules" in flat
  assert "order is the same" not in flat
  report.write(root)
  for name in ("report.md", "report.html"):
    assert "67.9 (50 %)" in (root / name).read_text()


def test_a_share_follows_the_currency_of_the_budget(experiment):
  points = [(0, 0, 0.5), (10, 10, 0.6), (20, 100, 0.7)]
  root = _experiment(experiment, {"clm": [points]}).directory
  path = root / "runs" / "clm-0" / "config.json"
  for budget, share in (
    ("targets:100", 0.1),
    ("flops:20", 0.5),
    ("steps:2", 0.5),
  ):
    path.write_text(json.dumps({"budget": budget}))
    run = collect.load(root).runs[0]
    assert ranking.share(run, "flops", 10) == pytest.approx(share)
