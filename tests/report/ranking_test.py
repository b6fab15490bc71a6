"""Rankings at equal spend."""

import json

import pytest

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
  assert targets.flips == (ranking.Flip("mlm", "clm", None),)


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
  curves = {
    "clm": [[(0, 0, 0.5), (10, 100, 0.7 + noise * s)] for s in (0, 0.1, -0.1)],
    "mlm": [[(0, 0, 0.5), (10, 20, 0.65 + noise * s)] for s in (0.1, -0.1, 0)],
  }
  loaded = _experiment(experiment, curves, seeds=3)
  targets = ranking.rankings(loaded, "minimal_pairs")[1]
  assert [flip.shown for flip in targets.flips] == [shown]
