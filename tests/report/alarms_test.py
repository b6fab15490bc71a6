"""What a report warns of before anything is compared."""

import json

import numpy as np
import pytest

from lm_jax.report import Report, alarms, benchmarks, collect, compare
from lm_jax.tasks import base


def change(root, name, **fields):
  path = root / "runs" / name / "result.json"
  result = json.loads(path.read_text())
  metrics = result["metrics"] | fields.pop("metrics", {})
  path.write_text(json.dumps(result | fields | {"metrics": metrics}))


def told(root):
  return alarms.sentences(compare.analyse(collect.load(root)))


ARMS = ("clm", "rtd")


def scored(root, by_run, name="minimal_pairs"):
  for run, value in by_run.items():
    change(root, run, metrics={name: value}, items={})


def test_a_seed_that_lies_far_off_is_named_with_the_median(experiment):
  root = experiment(arms=ARMS, seeds=5)
  usual = {f"{arm}-{i}": 0.60 + 0.01 * i for arm in ARMS for i in range(5)}
  scored(root, usual | {"rtd-2": 0.31})
  text = " ".join(told(root))
  assert "rtd-2 lies far off (31.0, and the median of rtd is 61.0" in text
  scored(root, {"rtd-2": 0.62})
  assert "far off" not in " ".join(told(root))


def test_of_three_seeds_none_is_far_from_the_others(experiment):
  root = experiment(arms=ARMS, seeds=3)
  scored(root, {"rtd-0": 0.6, "rtd-1": 0.61, "rtd-2": 0.2})
  assert "far off" not in " ".join(told(root))


def test_a_diverged_seed_is_told(experiment):
  root = experiment(arms=ARMS, seeds=3)
  change(root, "rtd-1", status="diverged")
  assert any(
    text.startswith("rtd diverged with the seed 1;") for text in told(root)
  )


def test_below_chance_by_more_than_the_interval(experiment):
  root = experiment(arms=ARMS, seeds=3)
  scored(root, {f"rtd-{i}": 0.30 + 0.001 * i for i in range(3)})
  assert any(
    text.startswith("rtd is below chance on minimal pairs")
    for text in told(root)
  )
  scored(root, {f"rtd-{i}": 0.49 + 0.01 * i for i in range(3)})
  assert not any("below chance" in text for text in told(root))


def test_below_chance_over_items_where_seeds_are_few(experiment):
  root = experiment(arms=ARMS, seeds=2)
  for run in ("rtd-0", "rtd-1"):
    items = [float(i % 3 == 0) for i in range(600)]
    own = {
      "metrics": {"minimal_pairs": 1 / 3},
      "items": {"minimal_pairs": items},
    }
    change(root, run, **own)
  assert any(text.startswith("rtd is below chance") for text in told(root))


def test_a_metric_whose_arms_differ_less_than_seeds_cannot_rank(experiment):
  root = experiment(arms=ARMS, seeds=3)
  scored(root, {f"clm-{i}": 0.60 + 0.01 * i for i in range(3)}, "probe/era")
  scored(root, {f"rtd-{i}": 0.61 + 0.01 * i for i in range(3)}, "probe/era")
  analysis = compare.analyse(collect.load(root))
  assert alarms.signal_to_noise(analysis, "probe/era") == pytest.approx(1.0)
  text = told(root)[-1]
  assert text.startswith("Not fit to rank these arms: ")
  assert "probe: era (1.0)" in text


def test_babylm_s_collapse(experiment):
  """Every answer the same class, as BabyLM's models gave for SIB-200."""
  topics = ("science", "travel", "politics", "sports", "health", "geography")
  predictions = [
    {"task": "sib200", "id": str(i), "score": float(i % 7 == 0)}
    | {"right": topics[i % 6], "answer": "science"}
    for i in range(204)
  ]
  assert base.constant(predictions) == ["sib200"]
  varied = [p | {"answer": topics[i % 2]} for i, p in enumerate(predictions)]
  assert base.constant(varied) == []
  # One class in the test split, and always right: no collapse.
  assert base.constant([p | {"score": 1.0} for p in predictions]) == []
  root = experiment(arms=ARMS)
  change(root, "rtd-0", constant=["sib200"])
  assert "sib200: one answer to every item, by rtd-0." in told(root)
  assert "sib200: one answer" in " ".join(Report.load(root).text().split())


def test_an_average_is_given_with_and_without_a_collapsed_task():
  values = {
    f"{task}/{metric}": 0.8
    for task, metrics in benchmarks.BENCHMARKS["superglue"].items()
    for metric in metrics
  }
  values |= {"cb/accuracy": 0.5, "cb/f1": 0.22}
  (whole,) = benchmarks.averages(values)
  assert whole.without is None
  (average,) = benchmarks.averages(values, {"cb"})
  assert average.value == whole.value
  assert average.without == pytest.approx(0.8)
  assert benchmarks.sentence(average) == (
    "superglue: 74.5, the mean of 8 tasks; without cb, answered alike whatever"
    " was asked, 80.0"
  )


def test_a_loss_that_has_not_left_the_unigram_entropy(experiment):
  root = experiment(arms=ARMS, seeds=3)
  for i in range(3):
    change(root, f"rtd-{i}", unigram=6.0, metrics={"validation_loss": 5.95})
    change(root, f"clm-{i}", unigram=6.0, metrics={"validation_loss": 5.0})
  (text,) = (text for text in told(root) if "frequent tokens" in text)
  assert text.startswith("rtd has hardly learnt more")
  assert "5.95 nats, that of the frequencies 6.00" in text


def curve(root, run, values):
  lines = [
    json.dumps({"step": i, "flops": 10.0 * i, "minimal_pairs": value})
    for i, value in enumerate(values, 1)
  ]
  path = root / "runs" / run / "metrics.jsonl"
  path.write_text("\n".join(lines) + "\n")


def test_signal_by_the_last_checkpoints_leaves_a_steady_rise_out(experiment):
  root = experiment(arms=ARMS, seeds=1)
  curve(root, "clm-0", [0.50, 0.55, 0.60, 0.65, 0.70])
  curve(root, "rtd-0", [0.50, 0.52, 0.50, 0.52, 0.50])
  analysis = compare.analyse(collect.load(root))
  # The steps of rtd are +2, -2, +2, -2: variance 16 / 3, halved, in points.
  noise = (0.5 * (0.0 + 16 / 3 / 2)) ** 0.5
  ratio = alarms.signal_to_checkpoints(analysis, "minimal_pairs")
  assert ratio == pytest.approx(20 / noise)
  curve(root, "clm-0", [0.50, 0.52, 0.50, 0.52, 0.51])
  text = " ".join(told(root))
  assert "minimal pairs (0.6 by the last checkpoints)" in text


def test_normal_seeds_lie_far_off_on_one_page_in_a_hundred(experiment):
  root = experiment(arms=("clm", "mlm", "rtd", "prefix_lm"), seeds=5)
  analysis = compare.analyse(collect.load(root))
  rng, told = np.random.default_rng(0), 0
  runs = analysis.experiment.runs
  for _ in range(1000):
    for run in runs:
      run.metrics["minimal_pairs"] = 0.6 + 0.02 * rng.normal()
    told += bool(alarms._far_off(analysis))
  assert told <= 20  # of 1,000, where 10 are expected


def test_equal_arms_are_fit_to_be_ranked_in_one_of_twenty(experiment):
  root = experiment(arms=("clm", "mlm", "rtd"), seeds=4)
  analysis = compare.analyse(collect.load(root))
  rng, fit = np.random.default_rng(0), 0
  limit = alarms._range_of_equals(analysis, "minimal_pairs")
  for _ in range(1000):
    for run in analysis.experiment.runs:
      run.metrics["minimal_pairs"] = 0.6 + 0.02 * rng.normal()
    fit += alarms.signal_to_noise(analysis, "minimal_pairs") > limit
  assert 30 <= fit <= 72  # of 1,000, where 50 are expected
