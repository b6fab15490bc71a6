"""Bits per byte: which signs decide, which have a p value, what is shown."""

import csv

import numpy as np
import pytest
from json_files import edited

from lm_jax import report
from lm_jax.report import collect, compare, likelihood, page, tables
from lm_jax.report.blocks import Table

BOUND = "bits_per_byte_bound"


def _set(root, arm, values, exact=True, error=0.01, lengths=0.02, **facts):
  """Gives the seeds of an arm these bits per byte, and nothing else."""
  for seed, value in enumerate(values):
    with edited(root / "runs" / f"{arm}-{seed}" / "result.json") as result:
      for name in ("bits_per_byte", BOUND):
        result["metrics"].pop(name, None)
      result["metrics"]["bits_per_byte" if exact else BOUND] = value
      known = {"kind": "exact" if exact else "bound", "estimator": "how"}
      if not exact:
        known |= {"standard_error": error, "lengths": lengths}
      result["likelihood"] = known | facts


def _verdicts(root):
  """By arm the signs, p and verdict."""
  analysis = compare.analyse(collect.load(root))
  (table,) = (b for b in likelihood.blocks(analysis) if isinstance(b, Table))
  return {arm: (signs, p, said) for arm, signs, _, p, said in table.rows}


@pytest.fixture
def three(experiment):
  """clm is exact, mlm a bound, rtd has neither."""
  return experiment(arms=("clm", "mlm", "rtd"), seeds=3)


def test_a_bound_below_an_exact_value_decides(three):
  _set(three, "clm", [2.00, 2.01, 2.02])
  _set(three, "mlm", [1.80, 1.81, 1.83], exact=False)
  assert _verdicts(three) == {
    "mlm": (
      *("≤ and =", "–"),
      "better than clm: a bound below an exact value decides",
    )
  }
  analysis = compare.analyse(collect.load(three))
  assert likelihood.sentences(analysis)[1:] == [
    "mlm models the text better than clm: a bound below an exact value decides."
  ]


def test_a_bound_above_an_exact_value_says_nothing(three):
  _set(three, "clm", [2.00, 2.01, 2.02])
  _set(three, "mlm", [9.00, 9.01, 9.02], exact=False)
  assert _verdicts(three) == {"mlm": ("≤ and =", "–", "bound: says nothing")}
  assert len(likelihood.sentences(compare.analyse(collect.load(three)))) == 1


@pytest.mark.parametrize(
  ("error", "lengths", "decides"),
  [(0.02, 0.05, True), (0.02, 0.07, False), (0.06, 0.0, False), (0, 0, True)],
)
def test_errors_and_lengths_are_paid_for(three, error, lengths, decides):
  # Seeds differ alike, so that their difference is 0.1 without a spread.
  _set(three, "clm", [2.0, 2.1, 2.2])
  # The difference is 0.1 but for 0.0002, so that it has an interval.
  _set(
    *(three, "mlm", [1.9, 2.0002, 2.1], False),
    error=error,
    lengths=lengths,
  )
  (_, _, said) = _verdicts(three)["mlm"]
  assert said.startswith("better") == decides


def test_seeds_that_scatter_decide_nothing(three):
  _set(three, "clm", [2.0, 2.1, 2.2])
  _set(three, "mlm", [1.4, 2.3, 1.7], exact=False)
  assert _verdicts(three)["mlm"][2] == "bound: says nothing"


def test_few_seeds_decide_for_these_checkpoints(experiment):
  root = experiment(arms=("clm", "mlm"), seeds=2)
  _set(root, "clm", [2.0, 2.1])
  _set(root, "mlm", [1.9, 1.9], exact=False)
  assert _verdicts(root)["mlm"][2] == (
    "these checkpoints only: better than clm: a bound below an exact value"
    " decides"
  )


def test_a_baseline_that_is_a_bound(experiment):
  root = experiment(arms=("mlm", "clm", "permutation_lm", "prefix_lm"), seeds=3)
  assert collect.load(root).baseline == "mlm"
  _set(root, "mlm", [1.80, 1.81, 1.83], exact=False)
  _set(root, "clm", [2.00, 2.01, 2.02])
  _set(root, "permutation_lm", [1.70, 1.71, 1.72])
  _set(root, "prefix_lm", [1.00, 1.01, 1.03], exact=False)
  said = {arm: text for arm, (_, _, text) in _verdicts(root).items()}
  assert said == {
    "clm": "worse than mlm: a bound below an exact value decides",
    "permutation_lm": "bound: says nothing",
    "prefix_lm": "two bounds: says nothing",
  }
  found = likelihood.decisions(collect.load(root))
  assert {(d.better, d.worse, d.seeds) for d in found} == {
    ("mlm", "clm", True),
    ("prefix_lm", "clm", True),
    ("prefix_lm", "permutation_lm", True),
  }


def test_only_two_exact_values_have_a_p_value(experiment):
  root = experiment(arms=("clm", "mlm", "permutation_lm", "prefix_lm"), seeds=4)
  rng = np.random.default_rng(0)
  clm = rng.normal(2, 0.01, 4)
  _set(root, "clm", clm)
  _set(root, "mlm", clm - 0.5, exact=False)
  _set(root, "permutation_lm", clm + 0.5 + rng.normal(0, 0.01, 4))
  _set(root, "prefix_lm", clm + rng.normal(0, 0.2, 4))
  said = _verdicts(root)
  assert {arm: p != "–" for arm, (_, p, _) in said.items()} == {
    "mlm": False,
    "permutation_lm": True,
    "prefix_lm": True,
  }
  assert said["permutation_lm"][2] == "worse than clm"
  assert said["prefix_lm"][2] == "not shown to differ from clm"


def _column(root):
  analysis = compare.analyse(collect.load(root))
  names = page.yardsticks(analysis)
  (table,) = tables.yardsticks(analysis, names)
  at = table.head.index("bits per byte")
  assert not any("at most" in name for name in table.head)
  return {row[0]: row[at] for row in table.rows}


def test_one_column_shows_signs_and_errors(experiment):
  root = experiment(arms=("clm", "mlm", "rtd"), seeds=2)
  _set(root, "clm", [2.0, 2.2])
  # Seeds have the same masks: their mean is no surer than one of them.
  _set(root, "mlm", [2.3, 2.5], exact=False, error=0.04)
  assert _column(root) == {
    "clm": "= 2.100",
    "mlm": "≤ 2.400 ± 0.040",
    "rtd": "–",
  }
  text = likelihood.sentences(compare.analyse(collect.load(root)))[0]
  assert "≤ a bound from above" in text and "how (clm, mlm)" in text


def test_bounds_alone_have_the_column(experiment):
  root = experiment(arms=("mlm", "rtd"), seeds=2)
  assert _column(root)["mlm"].startswith("≤ ")


def test_results_of_before_are_exact(three):
  for arm in ("clm", "mlm"):
    _set(three, arm, [2.0, 2.0, 2.1])
    for seed in range(3):
      with edited(three / "runs" / f"{arm}-{seed}" / "result.json") as result:
        del result["likelihood"]
  assert _column(three)["mlm"].startswith("= 2.033 [")
  texts = likelihood.sentences(compare.analyse(collect.load(three)))
  assert texts == ["Bits per byte, less is better: = is exact."]


@pytest.mark.parametrize("damage", [[], "x", {"standard_error": "y"}, {}])
def test_a_bound_of_unknown_error_decides_nothing(three, damage):
  _set(three, "clm", [2.0, 2.1, 2.2])
  _set(three, "mlm", [1.0, 1.1, 1.3], exact=False)
  for seed in range(3):
    with edited(three / "runs" / f"mlm-{seed}" / "result.json") as result:
      result["likelihood"] = damage
  assert _verdicts(three)["mlm"][2] == "bound: says nothing"
  assert "±" not in _column(three)["mlm"]


def test_unknown_tokens_are_told(three):
  _set(three, "clm", [2.0, 2.1, 2.2], unknown=0.031)
  texts = likelihood.sentences(compare.analyse(collect.load(three)))
  assert any("[UNK]: 3.1 % of clm" in text for text in texts)
  assert any("too low" in text for text in texts)
  assert _column(three)["clm"].startswith("≥")


def test_unknown_tokens_that_are_paid_for_make_a_bound(three):
  _set(three, "clm", [2.0, 2.1, 2.2], unknown=0.031, unknown_bits=0.46)
  texts = likelihood.sentences(compare.analyse(collect.load(three)))
  assert any("bits per byte 0.46 of clm" in text for text in texts)
  assert not any("too low" in text for text in texts)
  assert _column(three)["clm"].startswith("≤")


def test_arms_with_other_unknown_tokens_are_not_compared(three):
  facts = {"unknown": 0.031, "unknown_bits": 0.46}
  _set(three, "clm", [2.0, 2.1, 2.2], **facts)
  _set(three, "rtd", [1.0, 1.1, 1.3])
  _set(three, "mlm", [0.5, 0.6, 0.7], exact=False)
  for arm, (_, p, said) in _verdicts(three).items():
    assert (p, said) == ("–", "other unknown tokens: says nothing"), arm
  # Of one tokenizer both pay the same.
  _set(three, "rtd", [1.0, 1.1, 1.3], **facts)
  _set(three, "mlm", [0.5, 0.6, 0.7], exact=False, **facts)
  verdicts = _verdicts(three)
  assert verdicts["rtd"][0] == "≤ and ≤" and verdicts["rtd"][1] != "–"
  assert "decides" in verdicts["mlm"][2]


def test_the_page_and_the_table_of_runs(three):
  _set(three, "mlm", [1.0, 1.1, 1.3], exact=False, error=0.034)
  report.write(three)
  text = (three / "report.md").read_text()
  assert "## Bits per byte" in text and "decides" in text
  with (three / "results.csv").open() as file:
    by_name = {row["name"]: row for row in csv.DictReader(file)}
  assert by_name["mlm-1"][BOUND] == "1.1"
  assert by_name["mlm-1"]["bits_per_byte"] == ""
  assert by_name["mlm-1"]["bits_per_byte_bound_error"] == "0.034"
  assert by_name["clm-1"]["bits_per_byte_bound_error"] == ""
