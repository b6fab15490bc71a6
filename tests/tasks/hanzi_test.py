"""Chinese BabyLM's pairs about characters, and MultiBabyLM's labelled tasks."""

import numpy as np
import pytest
from json_lines import write
from known_scores import Model, task

from lm_jax.examples import published_pairs
from lm_jax.support.errors import UsageError
from lm_jax.tasks.babylm_pair import BabylmPair
from lm_jax.tasks.babylm_sentence import BabylmSentence
from lm_jax.tasks.hanzi_pinyin import HanziPinyin
from lm_jax.tasks.hanzi_structure import HanziStructure

# As on Hugging Face.
STRUCTURE = [
  {
    "sent_good": "“尖”字上边的部分是“小”。",
    "sent_bad": f"“尖”字上边的部分是“{wrong}”。",
    "condition": condition,
    "Structure": "上下结构",
  }
  for wrong, condition in (("大", "far"), ("少", "near"), ("山", "near"))
]
PINYIN = {
  "sentence_good": "“青”和“清”的声母、韵母和声调完全相同。",
  "sentence_bad": "“青”和“睛”的声母、韵母和声调完全相同。",
  "condition": "initial",
}


class Characters(Model):
  """A model that does not know some characters."""

  def __init__(self, score, unknown=""):
    super().__init__(score)
    self.unknown = unknown

  def unknown_counts(self, texts):
    return np.array([sum(x in self.unknown for x in text) for text in texts])


def right(text):
  return float("“小”" in text or "“清”" in text)


def test_pairs_as_published_and_as_the_pipeline_prepares_them(tmp_path):
  write(tmp_path / "raw.jsonl", STRUCTURE)
  prepared = [
    {
      "sentence_good": one["sent_good"],
      "sentence_bad": one["sent_bad"],
      "UID": one["condition"],
      "phenomenon": one["Structure"],
    }
    for one in STRUCTURE
  ]
  (tmp_path / "full").mkdir()
  write(tmp_path / "full" / "hanzi_structure.jsonl", prepared)
  raw, ready = (
    list(task(HanziStructure, tmp_path / name).pairs())
    for name in ("raw.jsonl", "full")
  )
  assert [x[1:] for x in raw] == [x[1:] for x in ready]
  assert raw[0].groups == ("term/上下结构", "uid/far")
  write(tmp_path / "pinyin.jsonl", [PINYIN])
  [pair] = task(HanziPinyin, tmp_path / "pinyin.jsonl").pairs()
  assert pair.groups == ("uid/initial",)
  assert (pair.good, pair.bad) == (
    PINYIN["sentence_good"],
    PINYIN["sentence_bad"],
  )
  write(tmp_path / "raw.jsonl", [{"sent_good": "a", "condition": "x"}])
  with pytest.raises(UsageError, match="line 1: no field 'bad'"):
    list(task(HanziStructure, tmp_path / "raw.jsonl").pairs())


def test_a_pair_with_an_unknown_token_is_wrong(tmp_path):
  path = write(tmp_path / "raw.jsonl", STRUCTURE)
  known = task(HanziStructure, path).measure(Characters(right), None)
  assert known.metrics["hanzi_structure"] == 1
  assert known.metrics["hanzi_structure/unknown"] == 0
  # One of three pairs, one of the two that are "near".
  measured = task(HanziStructure, path).measure(Characters(right, "少"), None)
  assert measured.metrics["hanzi_structure"] == pytest.approx(2 / 3)
  assert measured.metrics["hanzi_structure/uid/near"] == 0.5
  assert measured.metrics["hanzi_structure/over_uids"] == 0.75
  assert measured.metrics["hanzi_structure/unknown"] == pytest.approx(1 / 3)
  assert [x["score"] for x in measured.predictions] == [1, 0, 1]


def test_labels_of_multibabylm_are_those_of_the_data(tmp_path):
  text = "天空是什么颜色？\nA: 蓝\nB: 红"
  write(
    tmp_path / "arc_zh.train.jsonl",
    [{"idx": 3, "sentence": text, "label": "A"}],
  )
  write(
    tmp_path / "arc_zh.valid.jsonl",
    [{"idx": 4, "sentence": text, "label": "B"}],
  )
  place = str(tmp_path / "arc_zh")
  [one], [other] = (
    BabylmSentence().examples(split, place) for split in ("train", "test")
  )
  assert (one.fields, one.label, other.label) == ({"sentence": text}, "A", "B")
  write(
    tmp_path / "mnli_zh.valid.jsonl",
    [{"idx": 1, "premise": "下雨", "hypothesis": "湿", "label": "中立"}],
  )
  write(
    tmp_path / "xcopa_zh.valid.jsonl",
    [{"idx": 1, "sentence1": "甲", "sentence2": "乙", "label": 1}],
  )
  [pair] = BabylmPair().examples("test", str(tmp_path / "mnli_zh"))
  assert (pair.label, list(pair.fields)) == ("中立", ["premise", "hypothesis"])
  [pair] = BabylmPair().examples("test", str(tmp_path / "xcopa_zh"))
  assert (pair.label, pair.fields["hypothesis"]) == ("1", "乙")


def test_a_paradigm_of_blimps_supplement_is_its_file(tmp_path):
  for name in ("hypernym", "turn_taking"):
    record = {"sentence_good": f"{name} good.", "sentence_bad": "Bad."}
    write(tmp_path / f"{name}.jsonl", [record])
  pairs = published_pairs.read(str(tmp_path), "--x")
  assert [x.groups for x in pairs] == [("uid/hypernym",), ("uid/turn_taking",)]
  assert pairs[0].good == "hypernym good."
