"""Plans, their seal, their verdicts and what deviates from them."""

import dataclasses
import json
import re

import numpy as np
import pytest
from json_files import edited

from lm_jax.api.experiments import Run
from lm_jax.report import Report, collect, compare, preregistered
from lm_jax.support.errors import UsageError

ARMS = ("clm", "mlm", "rtd")
SECRET = 0.9137


def plan(**fields):
  record = {
    "primary": "minimal_pairs",
    "smallest_effect": 5,
    "direction": "two-sided",
    "seeds": 3,
    "looks": [],
    "baseline": "clm",
    "arms": list(ARMS),
    "budgets": {},
    "runs_before": 0,
  } | fields
  return record | {"digest": preregistered.digest(record), "date": "2026-11-30"}


def state(root, record, stated=None):
  with edited(root / "experiment.json") as about:
    about["preregistered"] = record
    about["stated"] = stated or {n: record[n] for n in preregistered.FIELDS}
  return root


def score(root, shifts, seeds, spread=0.004):
  """Gives each arm its mean, about SECRET; seeds scatter by `spread`."""
  rng = np.random.default_rng(0)
  for seed in range(seeds):
    for arm, shift in shifts.items():
      with edited(root / "runs" / f"{arm}-{seed}" / "result.json") as result:
        value = SECRET + shift + spread * rng.normal()
        result["metrics"]["minimal_pairs"] = value
        result["items"] = {}


@pytest.fixture
def judged(experiment):
  """An experiment with a plan, whose arms lie at `shifts`."""

  def make(shifts, seeds=3, spread=0.004, bad=None, **fields):
    root = experiment(arms=ARMS, seeds=seeds, items=10)
    score(root, shifts, seeds, spread)
    for name, status in (bad or {}).items():
      folder = root / "runs" / name
      if status:
        with edited(folder / "result.json") as result:
          result["status"] = status
      else:
        (folder / "result.json").unlink()
    return state(root, plan(seeds=seeds, **fields))

  return make


def verdicts(root):
  analysis = compare.analyse(collect.load(root).at_look())
  return {d.arm: (d.claim, d.verdict) for d in analysis.differences}


def test_verdicts_are_those_of_the_plan(judged):
  root = judged({"clm": 0, "mlm": 0.001, "rtd": -0.2})
  assert verdicts(root) == {
    "mlm": ("equivalent", "equivalent to clm"),
    "rtd": ("worse", "worse than clm"),
  }


def test_what_is_not_shown_is_inconclusive(judged):
  root = judged({"clm": 0, "mlm": 0.001, "rtd": -0.2}, spread=0.1)
  assert verdicts(root)["mlm"] == ("", "inconclusive")


def test_the_primary_measure_decides(judged):
  root = judged(dict.fromkeys(ARMS, 0), primary="probe/era")
  assert compare.analyse(collect.load(root)).metric == "probe/era"


def test_the_page_says_what_was_stated_and_shows_the_margin(judged):
  root = judged({"clm": 0, "mlm": 0.001, "rtd": -0.2})
  report = Report.load(root)
  card = dict(report._card.rows)
  assert card["Kind"].startswith(
    "Confirmatory: minimal pairs, smallest effect 5 points, two-sided, 3 seeds;"
    " preregistered on 2026-11-30, digest "
  )
  assert "mlm is equivalent to clm" in card["Answer"]
  assert "clm beats rtd" in card["Answer"]
  assert max(map(len, report.text().splitlines())) <= 100
  report.write()
  page = (root / "report.md").read_text()
  assert "p, equivalence" in page and "P(improvement)" in page
  assert "## Preregistration" in page
  svg = (root / "figures" / "differences.svg").read_text()
  with edited(root / "experiment.json") as about:
    del about["preregistered"], about["stated"]
  Report.load(root).write()
  # The band of the margin is one more path.
  plain = (root / "figures" / "differences.svg").read_text()
  assert svg.count("<path") > plain.count("<path")
  assert "Confirmatory" not in (root / "report.md").read_text()


@pytest.mark.parametrize(
  ("change", "text"),
  [
    (
      {"stated": {"smallest_effect": 1}},
      "SMALLEST_EFFECT changed: 5 -> 1",
    ),
    ({"stated": {"primary": None}}, "PRIMARY changed: minimal_pairs -> none"),
    ({"stated": {"looks": [3, 5]}}, "LOOKS changed: none -> 3, 5"),
    ({"record": {"smallest_effect": 1}}, "its digest is of another one"),
    ({"record": {"runs_before": 2}}, "digest is of another one"),
    ({"plan": {"runs_before": 2}}, "2 runs were done before it was stated"),
    ({"plan": {"arms": ["clm", "mlm"]}}, "arms that were added: rtd"),
    ({"plan": {"arms": [*ARMS, "t5"]}}, "arms that were dropped: t5"),
    ({"plan": {"baseline": "mlm"}}, "another baseline: mlm -> clm"),
    ({"plan": {"seeds": 2}}, "more seeds: 2 -> 3"),
    (
      {"plan": {"budgets": {"mlm": "flops:1e9"}}},
      "another budget of mlm: flops:1e9 -> flops:1e12",
    ),
  ],
)
def test_a_deviation_makes_it_exploratory(judged, change, text):
  root = judged(dict.fromkeys(ARMS, 0))
  record = plan(**change.get("plan", {}))
  state(root, record)
  with edited(root / "experiment.json") as about:
    about["preregistered"] |= change.get("record", {})
    about["stated"] |= change.get("stated", {})
  (root / "runs" / "mlm-1" / "config.json").write_text(
    json.dumps({"budget": "flops:1e12"})
  )
  found = collect.load(root).deviations()
  assert text in "; ".join(found)
  assert dict(Report.load(root)._card.rows)["Kind"].startswith("Exploratory: ")


def test_a_plan_that_is_none_is_refused_by_name(judged):
  root = judged(dict.fromkeys(ARMS, 0))
  with edited(root / "experiment.json") as about:
    about["preregistered"]["direction"] = "up"
  with pytest.raises(UsageError, match="direction.*one of two-sided, higher"):
    collect.load(root)


def secrets(text):
  """Numbers that would tell of the primary measure, SECRET of it."""
  return re.findall(r"91\.4|0\.913", text)


@pytest.mark.parametrize("status", ["", "interrupted", "failed"])
def test_the_primary_measure_is_sealed_until_all_runs_are_done(judged, status):
  shifts = dict.fromkeys(ARMS, 0)
  root = judged(shifts, spread=1e-5, bad={"rtd-2": status})
  experiment = collect.load(root)
  for run in experiment.runs:
    names = {*run.metrics, *run.items, *(k for row in run.history for k in row)}
    assert not any(name.startswith("minimal_pairs") for name in names)
    assert "probe/era" in run.metrics or run.name == "rtd-2"
  report = Report.load(root)
  report.write()
  for path in ("report.md", "report.html", "results.csv"):
    text = (root / path).read_text()
    assert not secrets(re.sub(r"<svg.*?</svg>", "", text, flags=re.S))
  card = dict(report._card.rows)
  assert card["Answer"] == (
    "Sealed: 8 of 9 runs done; minimal pairs is shown when all are."
  )
  # Open, it would have been seen.
  with edited(root / "experiment.json") as about:
    del about["preregistered"]
  Report.load(root).write()
  assert secrets((root / "report.md").read_text())


def test_a_sealed_run_has_no_history_of_the_primary_measure(judged):
  root = judged(dict.fromkeys(ARMS, 0), bad={"rtd-2": ""})
  folder = root / "runs" / "clm-0"
  lines = (folder / "metrics.jsonl").read_text().splitlines()
  lines[-1] = json.dumps(json.loads(lines[-1]) | {"minimal_pairs": SECRET})
  (folder / "metrics.jsonl").write_text("\n".join(lines) + "\n")
  run = Run(str(folder), "done")
  assert "minimal_pairs" not in run.history()[-1]
  with edited(root / "experiment.json") as about:  # Open, it has.
    del about["preregistered"]
  assert run.history()[-1]["minimal_pairs"] == SECRET


def test_a_run_that_diverged_has_ended(judged):
  root = judged(dict.fromkeys(ARMS, 0), bad={"rtd-2": "diverged"})
  assert collect.load(root).seal.whole


def test_parts_and_bounds_are_sealed_with_their_measure():
  seal = preregistered.Seal("minimal_pairs/swap", frozenset(), 0, 0, 3)
  hidden = ("minimal_pairs", "minimal_pairs/replace", "minimal_pairs.clm")
  assert all(map(seal.hides, hidden))
  assert not seal.hides("probe/era")
  seal = preregistered.Seal("bits_per_byte", frozenset(), 0, 0, 3)
  assert seal.hides("bits_per_byte_bound")


def test_a_single_run_of_a_sealed_experiment_is_sealed(judged):
  root = judged(dict.fromkeys(ARMS, 0), bad={"rtd-2": ""})
  run = collect.single(root / "runs" / "clm-0").runs[0]
  assert "minimal_pairs" not in run.metrics
  assert "minimal_pairs" not in run.raw["metrics"]
  assert "probe/era" in run.metrics


def test_a_look_shows_its_first_seeds_only(judged):
  shifts = {"clm": 0, "mlm": 0.001, "rtd": -0.2}
  root = judged(shifts, seeds=5, looks=[3, 5], bad={"rtd-4": ""})
  experiment = collect.load(root)
  assert (experiment.seal.looks, experiment.seal.text()) == (
    1,
    "sealed: 14 of 15 runs done",
  )
  for run in experiment.runs:
    assert ("minimal_pairs" in run.metrics) == (run.seed < 3)
  report = Report.load(root)
  assert "for the look at 5 seeds" in report.text()
  assert "Look 1 of 2 (at 3 and 5 seeds)" in report.text()
  assert "3 seeds an arm" in dict(report._card.rows)["Answer"]
  # An early look asks for more than the end does.
  early = compare.analyse(experiment.at_look()).differences
  state(root, plan(seeds=3))
  for number, run in enumerate(collect.load(root).runs):
    assert number >= 0 and run
  with edited(root / "experiment.json") as about:
    about["runs"] = [run for run in about["runs"] if run["seed"] < 3]
  late = compare.analyse(collect.load(root)).differences
  for one, other in zip(early, late, strict=True):
    assert one.p_seeds > other.p_seeds
    assert one.seeds == other.seeds
    assert one.wide.low < other.wide.low


def test_null_arms_differ_in_at_most_5_percent_of_whole_pipelines(judged):
  """Read from files, tested, corrected, judged: three arms that are equal."""
  root = judged(dict.fromkeys(ARMS, 0), seeds=4, looks=[3, 4])
  experiment = collect.load(root)
  rng = np.random.default_rng(0)
  count, wrong = 150, 0
  for _ in range(count):
    shift = dict(enumerate(rng.normal(0, 0.02, 4)))
    runs = tuple(
      dataclasses.replace(
        run,
        metrics={"minimal_pairs": 0.7 + shift[run.seed] + 0.02 * rng.normal()},
      )
      for run in experiment.runs
    )
    drawn = dataclasses.replace(experiment, runs=runs)
    claims = {d.claim for d in compare.analyse(drawn).differences}
    wrong += bool(claims & {"better", "worse"})
  # 14 by chance in one of 500 such simulations, at 5 %.
  assert wrong <= 14
