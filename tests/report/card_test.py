"""The card that a page begins with."""

import json

import pytest

from lm_jax import report
from lm_jax.report import Report, collect


def change(root, name, **fields):
  path = root / "runs" / name / "result.json"
  path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def rows(root):
  return dict(Report.load(root)._card.rows)


@pytest.fixture
def root(experiment):
  root = experiment(arms=("clm", "mlm", "rtd"), seeds=3)
  about = json.loads((root / "experiment.json").read_text())
  about |= {"command": "python launch.py compare", "question": "Which one?"}
  (root / "experiment.json").write_text(json.dumps(about))
  for arm in ("clm", "mlm", "rtd"):
    for seed in range(3):
      value = {"clm": 0.70, "mlm": 0.69, "rtd": 0.55}[arm]
      value += 0.01 * (2 - seed if arm == "mlm" else seed)
      path = root / "runs" / f"{arm}-{seed}" / "result.json"
      result = json.loads(path.read_text())
      result |= {"items": {}, "commit": "0123456789abcdef", "wall_seconds": 70}
      result["metrics"]["minimal_pairs"] = value
      result["ledger"] |= {"flops": 1e12, "branch_flops": 1e11}
      path.write_text(json.dumps(result))
  return root


def test_it_names_question_tied_set_cost_command_and_commit(root):
  card = rows(root)
  assert card["Question"] == "Which one?"
  answer = card["Answer"]
  assert answer.startswith(
    "At equal FLOPs clm and mlm are tied for the best on minimal pairs"
    " (71.0, 70.0 %)."
  )
  assert "clm beats rtd on minimal pairs" in answer
  assert "3 seeds an arm" in answer
  assert card["Cost"] == (
    "9 of 9 runs done; 9.00e12 model FLOPs, and 10.0 % more for branches;"
    " 10 min 30 s of wall time over all runs."
  )
  assert card["Made by"] == "python launch.py compare"
  assert card["Commit"] == "0123456789"
  assert "more seeds" in card["Would change it"].lower()


def test_scores_of_tied_arms_stand_beside_their_names(root):
  for seed in range(3):
    for arm in ("clm", "mlm", "rtd"):
      value = {"clm": 0.70, "mlm": 0.69, "rtd": 0.68}[arm]
      value += 0.1 * ((seed + len(arm + arm[0])) % 3)
      value += 0.1 * ((seed * ord(arm[0])) % 3)
      metrics = {"minimal_pairs": value}
      change(root, f"{arm}-{seed}", metrics=metrics)
  answer = rows(root)["Answer"]
  assert "no arm is shown to be better on minimal pairs: " in answer
  tied = answer.partition("pairs: ")[2].partition(" %) are tied.")[0]
  arms, _, scores = tied.partition(" (")
  means = {"clm": 0, "mlm": 0, "rtd": 0}
  for run in collect.load(root).runs:
    means[run.arm] += 100 * run.metrics["minimal_pairs"] / 3
  named = arms.replace(" and ", ", ").split(", ")
  assert set(named) == set(means)
  assert scores == ", ".join(f"{means[arm]:.1f}" for arm in named)


def test_another_currency_with_another_winner_would_change_it(root):
  for seed in range(3):
    for arm, tokens in (("clm", 1e6), ("mlm", 1e6), ("rtd", 1e6)):
      change(
        root, f"{arm}-{seed}",
        ledger={"flops": 1e12, "tokens": tokens, "steps": 800},
      )  # fmt: skip
  assert "another currency" not in rows(root)["Would change it"].lower()
  # Decayed models of all arms at half the tokens, and rtd ahead there.
  for arm, value in (("clm", 0.5), ("mlm", 0.5), ("rtd", 0.9)):
    for seed in range(3):
      name = f"{arm}-{seed}"
      ledger = {"flops": 1e12, "tokens": 1e6 if arm == "rtd" else 2e6}
      change(root, name, ledger=ledger | {"steps": 800})
      folder = root / "runs" / name
      result = json.loads((folder / "result.json").read_text())
      if arm != "rtd":
        result["ledger"] |= {"flops": 5e11, "tokens": 1e6}
        result["metrics"]["minimal_pairs"] = value + 0.01 * seed
        (folder / "branches" / "tokens-1000000").mkdir(parents=True)
        path = folder / "branches" / "tokens-1000000" / "result.json"
        path.write_text(json.dumps(result))
  text = rows(root)["Would change it"]
  assert text.startswith(
    "Another currency: at equal tokens read rtd is the best"
  )


def test_every_form_of_the_page_begins_with_it(root):
  report.write(root)
  text = report.table(root)
  assert text.index("Question") < text.index("Answer") < text.index("95 %")
  markdown = (root / "report.md").read_text()
  assert markdown.splitlines()[2].startswith("- Question: Which one?")
  assert "- Answer: **At equal FLOPs clm and mlm are tied" in markdown
  page = (root / "report.html").read_text()
  assert '<dl class="card"><dt>Question</dt><dd>Which one?</dd>' in page
