"""Rankings at equal spend: decayed models only, ties as sets."""

import json

import numpy as np
import pytest

from lm_jax import report
from lm_jax.report import collect, ranking

ITEMS = 40


def _result(folder, arm, seed, spent, score):
  """A finished model: its ledger, and `score` of its items right."""
  folder.mkdir(parents=True, exist_ok=True)
  items = (np.arange(ITEMS) < round(score * ITEMS)).astype(float)
  result = {
    "name": folder.name,
    "arm": arm,
    "seed": seed,
    "status": "done",
    "error": None,
    "scoring": "log_likelihood",
    "parameters": 1000,
    "ledger": {"steps": 100} | spent,
    "metrics": {"minimal_pairs": float(items.mean())},
    "items": {"minimal_pairs": items.tolist()},
  }
  (folder / "result.json").write_text(json.dumps(result))
  (folder / "config.json").write_text("{}")


def _experiment(tmp_path, arms):
  """arms: name -> a list of models for each seed, the run's end last."""
  runs = []
  for arm, seeds in arms.items():
    for seed, models in enumerate(seeds):
      folder = tmp_path / "runs" / f"{arm}-{seed}"
      for number, (spent, score) in enumerate(models[:-1]):
        _result(folder / "branches" / f"b-{number}", arm, seed, spent, score)
      _result(folder, arm, seed, *models[-1])
      runs.append({"name": folder.name, "arm": arm, "seed": seed})
  about = {"name": "x", "baseline": next(iter(arms)), "runs": runs}
  (tmp_path / "experiment.json").write_text(json.dumps(about))
  return collect.load(tmp_path)


def _spent(flops, tokens):
  return {"flops": flops, "tokens": tokens}


def _by_currency(loaded):
  return {r.currency: r for r in ranking.rankings(loaded, "minimal_pairs")}


def test_only_decayed_models_are_ranked(tmp_path):
  loaded = _experiment(
    tmp_path,
    {
      "clm": [[(_spent(1000, 500), 0.9)]],
      "mlm": [[(_spent(1000, 1000), 0.6)]],
      "rtd": [[(_spent(480, 505), 0.65), (_spent(1000, 1000), 0.7)]],
    },
  )
  found = _by_currency(loaded)
  assert found["flops"].order == ["clm", "rtd", "mlm"]
  assert found["flops"].spend == 1000 and not found["flops"].shares
  # The most arms have a decayed model at 1,000 tokens or at 500: the larger.
  assert found["tokens"].spend == 1000
  assert found["tokens"].order == ["rtd", "mlm"]
  assert found["tokens"].shares == pytest.approx({"clm": 2.0})
  text = " ".join(report.table(tmp_path).split())
  assert "No rank: clm at equal tokens read, since their runs ended" in text
  assert "– (200 %)" in text


def test_a_branch_stands_at_the_spend_where_another_arm_ends(tmp_path):
  loaded = _experiment(
    tmp_path,
    {
      "clm": [[(_spent(1000, 500), 0.7)]],
      "mlm": [[(_spent(500, 503), 0.6), (_spent(1000, 1000), 0.9)]],
    },
  )
  found = _by_currency(loaded)
  assert found["flops"].scores == pytest.approx({"mlm": 0.9, "clm": 0.7})
  assert found["tokens"].spend in (500, 503)
  # Read off mlm's curve, or at its end, it would not be behind.
  assert found["tokens"].scores == pytest.approx({"clm": 0.7, "mlm": 0.6})
  (flip,) = found["tokens"].flips
  assert (flip.ahead, flip.behind) == ("clm", "mlm")


def test_a_model_of_another_spend_never_counts(tmp_path):
  loaded = _experiment(
    tmp_path,
    {
      "clm": [[(_spent(1000, 500), 0.7)]],
      "mlm": [[(_spent(540, 540), 0.6), (_spent(1000, 1000), 0.9)]],
    },
  )
  tokens = _by_currency(loaded)["tokens"]
  assert len(tokens.scores) == 1 and tokens.places("clm") is None


def test_ties_are_a_set_and_no_rank_of_noise(tmp_path):
  spent = _spent(1000, 1000)
  loaded = _experiment(
    tmp_path,
    {
      "clm": [[(spent, x)] for x in (0.800, 0.825, 0.775, 0.8)],
      "mlm": [[(spent, x)] for x in (0.825, 0.800, 0.800, 0.825)],
      "rtd": [[(spent, x)] for x in (0.200, 0.225, 0.200, 0.175)],
    },
  )
  flops = _by_currency(loaded)["flops"]
  assert flops.over == "seeds" and flops.tested
  assert sorted(flops.best) == ["clm", "mlm"]
  assert {arm: flops.places(arm) for arm in flops.order} == {
    "clm": (1, 2),
    "mlm": (1, 2),
    "rtd": (3, 3),
  }
  text = " ".join(report.table(tmp_path).split())
  assert "1–2. 80.0" in text and "3. 20.0" in text
  assert "clm and mlm are tied for the best" in text


@pytest.mark.parametrize(("gap", "shown"), [(0.3, True), (0.025, False)])
def test_a_flip_is_shown_where_both_differences_are(tmp_path, gap, shown):
  def seeds(sooner, later):
    return [
      [(_spent(500, 500), sooner + x), (_spent(1000, 1000), later + x)]
      for x in (0.0, 0.025, -0.025, 0.0)
    ]

  arms = {
    "clm": seeds(0.5 + gap, 0.5),
    "mlm": seeds(0.5, 0.5 + gap),
    "rtd": [[(_spent(1000, 500), x)] for x in (0.2, 0.225, 0.25, 0.2)],
  }
  found = _by_currency(_experiment(tmp_path, arms))
  assert found["tokens"].spend == 500
  (flip,) = found["tokens"].flips
  assert (flip.ahead, flip.behind, flip.shown) == ("clm", "mlm", shown)


def test_without_a_test_nobody_has_a_place(tmp_path):
  spent = _spent(1000, 1000)
  loaded = _experiment(
    tmp_path, {"clm": [[(spent, 0.8)]], "mlm": [[(spent, 0.7)]]}
  )
  for run in loaded.runs:
    run.items.clear()
  flops = _by_currency(loaded)["flops"]
  assert flops.order == ["clm", "mlm"] and flops.places("clm") is None


def test_few_steps_may_end_a_step_apart(tmp_path):
  loaded = _experiment(
    tmp_path,
    {
      "clm": [[({"steps": 10, "flops": 100}, 0.8)]],
      "mlm": [[({"steps": 10, "flops": 92}, 0.7)]],
    },
  )
  assert len(_by_currency(loaded)["flops"].scores) == 2


def test_the_pages_show_decayed_points(tmp_path):
  arms = {
    "clm": [[(_spent(1000, 500), 0.7)]],
    "mlm": [[(_spent(500, 503), 0.6), (_spent(1000, 1000), 0.9)]],
  }
  root = _experiment(tmp_path, arms).directory
  lines = [
    json.dumps({"step": i, **_spent(i, i), "minimal_pairs": 0.5 + i / 3000})
    for i in (200, 600, 1000)
  ]
  for arm in arms:
    path = root / "runs" / f"{arm}-0" / "metrics.jsonl"
    path.write_text("\n".join(lines) + "\n")
  report.write(root)
  page = (root / "report.md").read_text()
  assert "circles are decayed models" in page
  assert (root / "figures" / "curves_tokens.png").stat().st_size > 5000


def test_places_are_ranges_since_ties_are_not_transitive():
  better = {("a", "b"): False, ("a", "c"): True, ("b", "c"): False}
  one = ranking.Ranking("flops", 1.0, {"a": 3.0, "b": 2.0, "c": 1.0}, better)
  assert [one.places(arm) for arm in "abc"] == [(1, 2), (1, 3), (2, 3)]
  assert one.best == ["a", "b"]
