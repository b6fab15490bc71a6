"""Pairs are counted before the first run: too few are refused up front."""

import json

import pytest

from lm_jax.commands import compare
from lm_jax.report import floor
from lm_jax.support.errors import UsageError

CHINESE = [
  "我们昨天在学校看了一本很好的书。",
  "他们也喜欢这只小猫和那条大狗。",
  "老师每天都在家里写着三封长信。",
]


@pytest.fixture(autouse=True)
def floor_of_users(monkeypatch):
  monkeypatch.setattr(floor, "FEWEST", 100)


@pytest.fixture
def run(tiny, tmp_path):
  """Runs `compare` of clm and mlm on a Chinese corpus for a step."""
  corpus = tmp_path / "zh.txt"
  corpus.write_text("\n\n".join(["".join(CHINESE)] * 30), "utf-8")

  def call(*flags):
    words = [
      *("--objectives=clm,mlm", "--seeds=1", f"--data.corpus={corpus}"),
      *("--data.tokenizer=bytes", f"--data.cache={tiny.cache}"),
      *("--budget=steps:1", "--trunk.layers=1", "--branches=", "--length=128"),
      *("--batch_size=4", "--trackers=", f"--workdir={tmp_path / 'out'}"),
      *flags,
    ]
    given = {}
    for word in words:
      name, _, value = word.removeprefix("--").partition("=")
      given.setdefault(name, []).append(value)
    return compare.run(given, "command", progress=False)

  return call


def pairs(tmp_path, count):
  path = tmp_path / "pairs.jsonl"
  lines = [
    {
      "paradigm": f"p{i % 2}",
      "sentence_good": f"他{i}",
      "sentence_bad": f"{i}他",
    }
    for i in range(count)
  ]
  path.write_text("\n".join(map(json.dumps, lines)))
  return path


def test_too_few_pairs_are_refused_before_anything_is_written(run, tmp_path):
  with pytest.raises(UsageError) as error:
    run()
  text = str(error.value)
  assert "minimal pairs of its held-out text: 3 (Han: " in text
  assert "it takes 100" in text and "--unranked" in text
  assert "\n" not in text
  assert not (tmp_path / "out").exists()


def test_unranked_measures_and_ranks_nothing(run, tmp_path):
  _, statuses, report = run("--unranked=true")
  assert set(statuses.values()) == {"done"}
  about = json.loads((tmp_path / "out/experiment.json").read_text())
  [one] = about["yardstick"]["pairs"]
  assert sum(one["counts"]["Han"].values()) == 3
  text = report.text()
  assert "Nothing is ranked: 3 minimal pairs are too few" in text
  assert "Ranking at equal spend" not in text and "English" not in text
  result = json.loads((tmp_path / "out/runs/mlm-seed0/result.json").read_text())
  assert result["metrics"]["minimal_pairs"] >= 0


def test_a_published_set_ranks_and_is_measured_later_too(run, tmp_path):
  run("--unranked=true")
  first = tmp_path / "out/runs/clm-seed0/result.json"
  digest = json.loads(first.read_text())["digest"]
  place = pairs(tmp_path, 120)
  flags = ("--metric=blimp", f"--task_data=blimp={place}", "--link=slln")
  *_, report = run(*flags)
  result = json.loads(first.read_text())
  # No step was taken again: only the measure is new.
  assert result["digest"] == digest
  assert len(result["items"]["blimp"]) == 120
  assert result["benchmark"]["link"] == "slln"
  assert "120 of pairs.jsonl, 2 paradigms, linked by slln" in report.text()
  assert "published pairs" in report.text()


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--metric=blimp"], "has 9 pairs, and it takes 100"),
    (["--metric=fluency"], "--metric=fluency"),
    (["--metric=validation_loss"], "do not compare"),
    ([], "needs --metric=blimp"),
  ],
)
def test_what_can_not_rank_is_refused(run, tmp_path, flags, message):
  more = (
    ()
    if "fluency" in str(flags) or "loss" in str(flags)
    else (f"--task_data=blimp={pairs(tmp_path, 9)}",)
  )
  with pytest.raises(UsageError, match=message):
    run(*flags, *more)
  assert not (tmp_path / "out").exists()


def test_arms_of_one_objective_need_no_pairs(run):
  *_, report = run(
    "--objectives=clm", "--sweep=optimizer.learning_rate=1e-3,2e-3"
  )
  assert "own validation loss" in report.text()
