"""Too few items rank nothing, and every report says how many there are."""

import json

import pytest

from lm_jax.report import blocks, collect, floor, prose
from lm_jax.report import compare as compare_lib

COUNTS = {"Han": {"swap": 9, "order": 4}, "Latin": {"swap": 1}}


@pytest.fixture(autouse=True)
def floor_of_users(monkeypatch):
  monkeypatch.setattr(floor, "FEWEST", 100)


def pairs_only(root):
  """Takes every measure but minimal pairs from the results."""
  for path in root.glob("runs/*/result.json"):
    result = json.loads(path.read_text())
    own = {k: v for k, v in result["metrics"].items() if "pairs" in k}
    path.write_text(json.dumps(result | {"metrics": own}))
  return root


def analysed(root, **record):
  """The analysis of an experiment whose experiment.json has more members."""
  path = root / "experiment.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | record))
  return compare_lib.analyse(collect.load(root))


@pytest.mark.parametrize(("items", "ranks"), [(99, False), (100, True)])
def test_below_the_floor_nothing_is_ranked(experiment, items, ranks):
  analysis = analysed(pairs_only(experiment(seeds=3, items=items)))
  assert (analysis.metric == "minimal_pairs") == ranks
  assert bool(analysis.differences) == ranks
  answer = prose.answer(analysis)
  assert ("99 minimal pairs are too few; it takes 100" in answer) != ranks
  assert "yet" not in answer


def test_a_preregistered_measure_has_the_floor_too(experiment):
  root = experiment(seeds=3, items=50)
  about = json.loads((root / "experiment.json").read_text())
  plan = {
    "primary": "minimal_pairs",
    "smallest_effect": None,
    "direction": "two-sided",
    "seeds": 3,
    "looks": [],
    "baseline": about["baseline"],
    "arms": sorted({run["arm"] for run in about["runs"]}),
    "budgets": {},
    "runs_before": 0,
    "digest": "",
    "date": "2026-01-01",
  }
  assert analysed(root, preregistered=plan).metric is None


def test_what_metric_asked_for_ranks_or_nothing_does(experiment):
  root = experiment(seeds=3, items=600)
  asked = {"metric": "blimp"}
  analysis = analysed(root, yardstick=asked)
  assert analysis.metric is None
  assert "no arm has published pairs" in prose.answer(analysis)
  asked = {"metric": "minimal_pairs"}
  assert analysed(root, yardstick=asked).metric == "minimal_pairs"


def test_counts_by_kind_and_script_are_told(experiment):
  pairs = [{"corpus": "zh.jsonl", "counts": COUNTS, "words": "Chinese by x"}]
  record = {"pairs": pairs, "published": "200 of sling.jsonl"}
  analysis = analysed(experiment(items=600), yardstick=record)
  notes = prose.notes(analysis)
  assert (
    "Minimal pairs of the held-out text of zh.jsonl: 14 (Han: swap 9, order 4;"
    " Latin: swap 1); words: Chinese by x."
  ) in notes
  assert "Published pairs: 200 of sling.jsonl." in notes


@pytest.mark.parametrize(
  "record", [None, 3, {"pairs": 3}, {"pairs": [{"counts": 1}], "metric": 0}]
)
def test_a_damaged_record_is_passed_over(experiment, record):
  analysis = analysed(experiment(items=600), yardstick=record)
  assert analysis.metric == "minimal_pairs"
  assert blocks.plain([*map(blocks.Text, prose.notes(analysis))]) is not None
