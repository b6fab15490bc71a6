"""Results in the layout of BabyLM's pipelines, read as those read them."""

import json

import pytest

from lm_jax.evaluation import babylm
from lm_jax.evaluation.results import HEAD, OWN, Outcome, Row
from lm_jax.support.errors import UsageError


def pairs(task, *scored, scoring="log_likelihood"):
  """Outcome of pairs (id, score of the good and of the bad sentence)."""
  records = tuple(
    {
      "task": task,
      "id": name,
      "score": 0.5 if good == bad else float(good > bad),
      "good": f"good {name}",
      "bad": f"bad {name}",
      "scores": [good, bad],
    }
    for name, good, bad in scored
  )
  return Outcome(task, (Row(task, task, 0.5, scoring=scoring),), records)


def labels(task, *answers, **metrics):
  records = tuple(
    {"task": task, "id": str(i), "score": 1.0, "label": x, "predicted": x}
    for i, x in enumerate(answers)
  )
  rows = tuple(Row(task, k, v, way=HEAD) for k, v in metrics.items())
  return Outcome(task, rows, records)


def average(path):
  """As pipeline.py of Chinese BabyLM collects it."""
  lines = path.read_text("utf-8").splitlines()
  at = lines.index("### AVERAGE ACCURACY")
  return float(lines[at + 1])


def test_pairs_are_written_as_the_pipeline_reads_them(tmp_path):
  root = tmp_path / "results" / "mine"
  outcome = pairs(
    "blimp",
    ("BA/0", -1, -2),
    ("BA/1", -3, -2),
    ("a/b/0", -2, -2),
    ("BA/2", 0, -1),
  )
  babylm.write(str(root), [outcome], {"blimp": "data/zhoblimp.tar.gz"})
  folder = root / "main" / "zero_shot" / "causal" / "zhoblimp" / "zhoblimp"
  written = json.loads((folder / "predictions.json").read_text("utf-8"))
  assert written["BA"]["predictions"] == [
    {"id": "BA_0", "pred": "good BA/0"},
    {"id": "BA_1", "pred": "bad BA/1"},
    {"id": "BA_2", "pred": "good BA/2"},
  ]
  # Of a tie the first sentence, as by torch.max.
  assert written["a/b"]["predictions"] == [
    {"id": "a/b_0", "pred": "good a/b/0"}
  ]
  # Mean of paradigms: 2 of 3, and a tie.
  report = folder / "best_temperature_report.txt"
  assert average(report) == pytest.approx(58.33)
  board = json.loads((root / "leaderboard.json").read_text())
  assert board == {"zhoblimp": {"accuracy": pytest.approx((2 / 3 + 0.5) / 2)}}
  with pytest.raises(UsageError, match="predictions.json is there already"):
    babylm.write(str(root), [outcome], {"blimp": "zhoblimp.jsonl"})


def test_labels_have_the_numbers_of_the_data(tmp_path):
  root = tmp_path / "mine"
  answers = ("entailment", "contradiction", "neutral")
  first = labels("ocnli", *answers, accuracy=0.75, other=0.1)
  second = labels("afqmc", "equivalent", accuracy=0.5, f1=0.25, matthews=0.125)
  pinyin = pairs("hanzi_pinyin", ("x/0", 1, 0), scoring="pseudo_log_likelihood")
  babylm.write(str(root), [first], {})
  # Another call adds to what is there.
  made = babylm.write(str(root), [second, pinyin], {})
  folders = [str(x.relative_to(root / "main")) for x in made]
  assert folders == [
    "finetune/afqmc",
    "zero_shot/mlm/hanzi_pinyin/hanzi_pinyin",
  ]
  written = (
    root / "main" / "finetune" / "ocnli" / "predictions.json"
  ).read_text()
  assert json.loads(written) == {
    "ocnli": {
      "predictions": [
        {"id": f"ocnli_{i}", "pred": number}
        for i, number in enumerate((1, 2, 0))
      ]
    }
  }
  told = (root / "main" / "finetune" / "afqmc" / "results.txt").read_text()
  assert told == "accuracy: 0.5\nf1: 0.25\nmcc: 0.125"
  board = json.loads((root / "leaderboard.json").read_text())
  assert list(board.items()) == [
    ("hanzi_pinyin", {"accuracy": 1.0}),
    ("afqmc", {"accuracy": 0.5}),
    ("ocnli", {"accuracy": 0.75}),
  ]


def test_what_the_pipelines_do_not_have(tmp_path):
  energy = pairs("blimp", ("a/0", 1, 0), scoring="energy")
  with pytest.raises(UsageError, match="blimp was scored by energy; BabyLM's"):
    babylm.write(str(tmp_path / "x"), [energy], {})
  assert not (tmp_path / "x").exists()
  other = Outcome("lambada", (Row("lambada", "accuracy", 0.5, way=OWN),), ())
  assert babylm.write(str(tmp_path / "y"), [other], {}) == []
  with pytest.raises(UsageError, match="leave out --limit"):
    babylm.check("z", 100)
  (tmp_path / "file").touch()
  with pytest.raises(UsageError, match="is a file; name a directory"):
    babylm.check(str(tmp_path / "file"), 0)
