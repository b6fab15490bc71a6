"""The figure of tuning."""

import dataclasses

import pytest
from json_files import edited

from lm_jax.report import collect, compare, plots, svg, tuning, tuning_curves
from lm_jax.support.errors import UsageError

BEST = {
  "mlm": [[1, 0.50, 0.45, 0.55], [2, 0.61, 0.60, 0.62]],
  "other": [[1, 0.9, 0.8, 1.0]],
}


def _analysis(root, metric="minimal_pairs", best=None):
  arms = {a: {"measure": metric, "best": b} for a, b in (best or {}).items()}
  tuning = {"arms": arms} if best is not None else {}
  with edited(root / "experiment.json") as about:
    about["tuning"] = tuning
  return compare.analyse(collect.load(root))


def _drawn(analysis):
  about = analysis.experiment.about
  return tuning_curves.draw(analysis, tuning.read(about))


def test_the_best_found_is_drawn_in_the_unit_of_the_metric(experiment):
  root = experiment(seeds=1, arms=("clm", "mlm", "rtd"))
  analysis = _analysis(root, metric="minimal_pairs", best=BEST)
  figure = _drawn(analysis)
  [trace] = svg.traces(figure, analysis.experiment.arms)
  assert (trace.arm, trace.label) == ("mlm", "median")
  assert trace.points == ((1, pytest.approx(50)), (2, pytest.approx(61)))
  assert trace.axes == ("trials", "best minimal pairs (%)")
  [band] = figure.axes[0].collections
  ends = band.get_datalim(figure.axes[0].transData)
  assert (ends.y0, ends.y1) == (pytest.approx(45), pytest.approx(62))
  assert "tuning" in [image.stem for image in plots.draw(analysis)[0]]


def test_losses_of_different_objectives_share_no_axes(experiment):
  root = experiment(seeds=1, arms=("clm", "mlm"))
  best = dict.fromkeys(("clm", "mlm"), BEST["mlm"])
  figure = _drawn(_analysis(root, metric="validation_loss", best=best))
  assert len(figure.axes) == 2
  assert "not\ncomparable" in figure.get_supylabel()
  figure = _drawn(_analysis(root, metric="minimal_pairs", best=best))
  assert len(figure.axes) == 1


def test_arms_that_were_judged_by_other_measures_have_axes_of_their_own(
  experiment,
):
  root = experiment(seeds=1, arms=("clm", "mlm"))
  analysis = _analysis(root, "validation_loss", {"clm": BEST["mlm"]})
  searches = tuning.read(analysis.experiment.about)
  pairs = dataclasses.replace(searches["clm"], measure="validation_pairs")
  figure = tuning_curves.draw(analysis, searches | {"mlm": pairs})
  labels = [axes.get_ylabel() for axes in figure.axes]
  assert labels == [
    "best own validation loss (nats)",
    "best validation pairs (%)",
  ]


@pytest.mark.parametrize("best", [None, {}, {"mlm": []}])
def test_without_trials_there_is_no_figure(experiment, best):
  root = experiment(seeds=1, arms=("clm", "mlm"))
  assert _drawn(_analysis(root, best=best)) is None


def test_a_damaged_record_is_a_usage_error(experiment):
  root = experiment(seeds=1, arms=("clm", "mlm"))
  with pytest.raises(UsageError, match="tuning: mlm: best"):
    _drawn(_analysis(root, metric="minimal_pairs", best={"mlm": ["x"]}))
