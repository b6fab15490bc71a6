"""Each verdict from planted scores; the absence of a difference is not one."""

import json

import numpy as np
import pytest

from lm_jax.published import measured, verdict
from lm_jax.published.claim import (
  Claim,
  Computed,
  Number,
  Order,
  Paper,
  Scale,
  Scored,
)
from lm_jax.report import collect

PAPER = Paper("A title", "Somebody", 2020, "arXiv:0000.00000")


def claim(*parts):
  scale = Scale("a machine", 1.0)
  return Claim("It is so.", PAPER, "table 1", parts, "none", "here", scale)


def experiment(folder, metric, **scores):
  """Writes finished runs of arms, a seed for each score; reads them."""
  runs = []
  for arm, values in scores.items():
    for seed, value in enumerate(values):
      name = f"{arm}-seed{seed}"
      path = folder / "runs" / name
      path.mkdir(parents=True)
      result = {"status": "done", "metrics": {metric: float(value)}}
      (path / "result.json").write_text(json.dumps(result))
      runs.append({"name": name, "arm": arm, "seed": seed})
  about = {"name": "planted", "baseline": runs[0]["arm"], "runs": runs}
  (folder / "experiment.json").write_text(json.dumps(about))
  return collect.load(folder)


def judged(folder, parts, scale, metric="validation_loss", **scores):
  scores = measured.OfExperiment(experiment(folder, metric, **scores))
  return measured.trained(claim(*parts), scale, scores)


NOISE = np.array([-0.02, 0.01, 0.0, 0.02, -0.01])
# Of a loss, so that less is better; the smallest effect is 0.1.
LOSS = Scale("", 1, measure="validation_loss", smallest_effect=0.1)


@pytest.mark.parametrize(
  ("a", "b", "said"),
  [
    (1.0 + NOISE, 1.5 + NOISE[::-1], "reproduced"),
    (1.5 + NOISE, 1.0 + NOISE[::-1], "opposite"),
    (1.0 + NOISE, 1.001 + NOISE[::-1], "equivalent"),
    # As far apart on average, but nothing is shown of so wide a spread.
    (1.0 + 20 * NOISE, 1.001 - 20 * NOISE[::-1], "inconclusive"),
    ([1.0, 1.1], [2.0, 2.1], "inconclusive"),  # two seeds show nothing
    # A difference that is sure and small is one: the order is reproduced.
    (1.0 + NOISE, 1.05 + 1.1 * NOISE, "reproduced"),
  ],
)
def test_an_order_of_losses(a, b, said, tmp_path):
  (part,) = judged(tmp_path, [Order("a", "b", "1 < 1.5")], LOSS, a=a, b=b)
  assert part.verdict == said
  assert part.value == pytest.approx(np.mean(a) - np.mean(b))
  assert part.unit == "nats"


def test_shares_are_compared_in_points(tmp_path):
  scale = Scale("", 1, measure="minimal_pairs", smallest_effect=5.0)
  (part,) = judged(
    tmp_path,
    [Order("a", "b", "")],
    scale,
    "minimal_pairs",
    a=0.8 + NOISE,
    b=0.7 - NOISE,
  )
  assert (part.verdict, part.unit) == ("reproduced", "points")
  assert part.value == pytest.approx(10)


@pytest.mark.parametrize(
  ("values", "said"),
  [
    (1.88 + NOISE, "reproduced"),
    (1.99 + NOISE, "different"),
    (1.92 + NOISE, "inconclusive"),  # its interval reaches over the edge
    (1.88 + 20 * NOISE, "inconclusive"),
    ([1.88], "inconclusive"),
  ],
)
def test_a_number_lies_within_its_tolerance(values, said, tmp_path):
  parts = [Number("a", 1.88, 0.05)]
  (part,) = judged(tmp_path, parts, LOSS, a=values)
  assert part.verdict == said


def test_a_measure_that_no_run_has_shows_nothing(tmp_path):
  (part,) = judged(tmp_path, [Order("a", "b", "")], LOSS, "other", a=[1], b=[2])
  assert (part.verdict, part.value) == ("inconclusive", None)


def test_a_part_has_a_measure_of_its_own(tmp_path):
  part = Order("a", "b", "", "minimal_pairs.clm")
  (found,) = judged(
    tmp_path, [part], LOSS, "minimal_pairs.clm", a=0.8 + NOISE, b=0.7 - NOISE
  )
  assert (found.verdict, found.unit) == ("reproduced", "points")


def test_several_orders_are_held_to_a_wider_interval(tmp_path):
  """An opposite one among many would often turn up by chance."""
  shift = 0.035
  one = [Order("a", "b", "")]
  scores = {"a": 1 + shift + NOISE, "b": 1 - 0.5 * NOISE}
  (alone,) = judged(tmp_path / "1", one, LOSS, **scores)
  many = judged(tmp_path / "2", one * 20, LOSS, **scores)
  assert alone.low > 0  # so that less of a loss would be b's
  assert alone.verdict == "opposite"
  assert {part.verdict for part in many} == {"equivalent"}


def test_a_computed_number():
  right = measured.computed(Computed("x", 100.0, 0.01, lambda: 100.9))
  wrong = measured.computed(Computed("x", 100.0, 0.01, lambda: 101.1))
  assert [right.verdict, wrong.verdict] == ["reproduced", "different"]


def test_fine_tuned_models_are_compared_by_the_mean_of_tasks_they_all_have():
  rows = [
    {"model": model, "task": task, "seed": seed, "value": base + gain + noise}
    for seed, noise in enumerate(NOISE)
    for task, base in (("cola", 0.4), ("sst2", 0.8))
    for model, gain in (("a", 0.1), ("b", 0.0))
  ]
  # A sixth seed of a has one task only, and does not count.
  rows.append({"model": "a", "task": "cola", "seed": 5, "value": 0.0})
  scores = measured.OfTasks(rows)
  scale = Scale("", 1, smallest_effect=1.0, tasks=("cola", "sst2"))
  (part,) = measured.trained(claim(Order("a", "b", "")), scale, scores)
  assert part.value == pytest.approx(10)
  assert (scores.seeds(""), scores.mean("a", "").value) == (5, 0.7)


@pytest.mark.parametrize(
  ("parts", "said"),
  [
    (["reproduced", "reproduced"], "reproduced"),
    (["reproduced", "equivalent"], "inconclusive"),
    (["reproduced", "opposite"], "opposite"),
    (["different", "reproduced"], "different"),
    (["inconclusive", "reproduced"], "inconclusive"),
    (["equivalent", "equivalent"], "equivalent"),
  ],
)
def test_a_claim_of_several_parts(parts, said):
  assert verdict.together(parts) == said


def test_a_published_model_is_scored_from_its_directory(finished, tmp_path):
  pairs = [
    {
      "uid": "one",
      "field": "syntax",
      "term": "agreement",
      "pair_id": number,
      "good": f"The law{'s' * number} is ours.",
      "bad": f"The law{'s' * number} are ours.",
    }
    for number in range(4)
  ]
  path = tmp_path / "blimp.jsonl"
  path.write_text("".join(f"{json.dumps(pair)}\n" for pair in pairs))
  asked = Scored("model", "blimp", "blimp.jsonl", "blimp", 50.0, 100.0)
  part = measured.scored(asked, finished.workdir, str(path))
  assert (part.verdict, part.unit) == ("reproduced", "%")
  assert part.value in (0, 25, 50, 75, 100)
  assert 0 <= part.low <= part.value <= part.high <= 100
