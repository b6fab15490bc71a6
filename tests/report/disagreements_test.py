"""The items on which arms differ most."""

import json

import numpy as np
import pytest
from json_files import edited

from lm_jax.report import collect, compare, disagreements
from lm_jax.report.blocks import Cases

ITEMS = 12


def _plant(root, scores_by_arm, texts=True):
  """Gives each run of an arm its arm's scores, and the texts of the items."""
  about = json.loads((root / "experiment.json").read_text())
  for run in about["runs"]:
    folder = root / "runs" / run["name"]
    scores = scores_by_arm[run["arm"]]
    with edited(folder / "result.json") as result:
      result["items"] = {"minimal_pairs": scores}
      result["metrics"]["minimal_pairs"] = float(np.mean(scores))
    lines = [
      json.dumps({"task": "era", "id": "0", "score": 1.0, "asked": "other"})
    ]
    lines += [
      json.dumps(
        {"task": "minimal_pairs", "id": str(i), "score": score}
        | {"good": f"good\u2028{i}", "bad": f"bad {i}", "scores": [0.0, 1.0]}
      )
      for i, score in enumerate(scores)
    ]
    if texts:
      (folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
  return compare.analyse(collect.load(root))


def _scores(*right):
  return [float(i in right) for i in range(ITEMS)]


def test_the_largest_differences_are_shown_with_their_texts(experiment):
  root = experiment(seeds=3, arms=("clm", "mlm"))
  analysis = _plant(root, {"clm": _scores(7, 1, 2), "mlm": _scores(3, 1, 2)})
  text, cases = disagreements.blocks(analysis)
  assert "clm is ahead of mlm on 1 and behind on 1" in text.text
  assert [case.title for case in cases.cases] == ["Item 7", "Item 3"]
  first = {part.name: part.text for part in cases.cases[0].parts}
  assert first == {
    "good": "good\u20287",
    "bad": "bad 7",
    "clm": "right in 3 of 3 runs",
    "mlm": "right in 0 of 3 runs",
  }


@pytest.mark.parametrize("spoilt", ["absent", "broken", "of other items"])
def test_nothing_is_shown_without_the_texts_of_these_items(experiment, spoilt):
  root = experiment(seeds=3, arms=("clm", "mlm"))
  scores = {"clm": _scores(7), "mlm": _scores(3)}
  analysis = _plant(root, scores, texts=spoilt != "absent")
  for path in root.glob("runs/*/predictions.jsonl"):
    if spoilt == "broken":
      path.write_bytes(path.read_bytes()[:-40])
    else:
      lines = path.read_text().splitlines(keepends=True)
      path.write_text("".join(lines[:-1]))
  assert disagreements.blocks(analysis) == []


def test_of_many_arms_the_pairs_with_the_baseline_are_shown(experiment):
  arms = ("clm", "prefix_lm", "mlm", "rtd", "permutation_lm")
  root = experiment(seeds=1, arms=arms)
  scores = {arm: _scores(i) for i, arm in enumerate(arms)}
  [cases] = [
    block
    for block in disagreements.blocks(_plant(root, scores))
    if isinstance(block, Cases)
  ]
  assert cases.groups == tuple(f"clm and {arm}" for arm in arms[1:])
