"""CLUE's tasks, in the files and fields that they are published in."""

import pytest
from json_lines import write

from lm_jax.examples.forms import Example
from lm_jax.prompting import template
from lm_jax.support.errors import UsageError
from lm_jax.tasks.afqmc import Afqmc
from lm_jax.tasks.chnsenticorp import Chnsenticorp
from lm_jax.tasks.cluewsc2020 import Cluewsc2020
from lm_jax.tasks.ocnli import Ocnli
from lm_jax.tasks.tnews import Tnews

TASKS = (Afqmc, Chnsenticorp, Cluewsc2020, Ocnli, Tnews)


def read(task, folder, record, split="train"):
  write(folder / "train.json", [record])
  return task().examples(split, str(folder))


def test_afqmc(tmp_path):
  record = {"sentence1": "怎么还款", "sentence2": "如何还钱", "label": "1"}
  [one] = read(Afqmc, tmp_path, record)
  assert one.fields == {"sentence1": "怎么还款", "sentence2": "如何还钱"}
  assert one.label == "equivalent"
  # The labels of the test split are secret: that of dev stands in for it.
  write(tmp_path / "dev.json", [record | {"label": "0"}] * 2)
  write(tmp_path / "test.json", [{"id": 0, "sentence1": "a", "sentence2": "b"}])
  labels = [x.label for x in Afqmc().examples("test", str(tmp_path))]
  assert labels == ["not_equivalent"] * 2
  right = ["equivalent", "equivalent", "not_equivalent", "not_equivalent"]
  examples = [Example(str(i), {}, x) for i, x in enumerate(right)]
  told = ["equivalent", "not_equivalent", "not_equivalent", "equivalent"]
  metrics = Afqmc().judge(told, examples).metrics
  # One of each kind of answer: chance.
  assert metrics == {"accuracy": 0.5, "f1": 0.5, "matthews": 0.0}
  with pytest.raises(
    UsageError, match="line 1: label '2': unknown; valid: 0 n"
  ):
    read(Afqmc, tmp_path, record | {"label": "2"})


def test_ocnli_leaves_out_what_annotators_disagreed_on(tmp_path, caplog):
  record = {
    "level": "easy",
    "sentence1": "下雨了",
    "sentence2": "地湿了",
    "genre": "lit",
    "prem_id": "lit_1",
  }
  labels = ["entailment", "-", "neutral", "contradiction"]
  records = [record | {"label": x, "id": i} for i, x in enumerate(labels)]
  write(tmp_path / "train.50k.json", records)
  write(tmp_path / "train.3k.json", records[:1])
  write(tmp_path / "dev.json", records[2:])
  examples = Ocnli().examples("train", str(tmp_path))
  assert [x.label for x in examples] == [x for x in labels if x != "-"]
  # Ids stay the numbers of lines.
  assert [x.id for x in examples] == ["1", "3", "4"]
  assert examples[0].fields == {"premise": "下雨了", "hypothesis": "地湿了"}
  assert "1 records have no label that the annotators agreed on" in caplog.text
  assert len(Ocnli().examples("test", str(tmp_path))) == 2


def test_numbers_of_chinese_babylms_files(tmp_path):
  # It writes TASK.train.jsonl and TASK.valid.jsonl with Hugging Face's numbers.
  pair = {"sentence1": "a", "sentence2": "b"}
  write(tmp_path / "ocnli.train.jsonl", [pair | {"label": i} for i in range(3)])
  write(tmp_path / "tnews.train.jsonl", [{"sentence": "s", "label": 14}])
  spans = {"text": "小明说他累", "span1_text": "小明", "span2_text": "他"}
  write(tmp_path / "cluewsc2020.valid.jsonl", [spans | {"label": 0}])
  labels = [x.label for x in Ocnli().examples("train", str(tmp_path / "ocnli"))]
  assert labels == ["neutral", "entailment", "contradiction"]
  [one] = Tnews().examples("train", str(tmp_path / "tnews"))
  assert one.label == "news_game"
  [one] = Cluewsc2020().examples("test", str(tmp_path / "cluewsc2020"))
  assert one.label == "true"
  assert one.fields == {"text": "小明说他累", "pronoun": "他", "noun": "小明"}


def test_tnews(tmp_path):
  record = {
    "label": "115",
    "label_desc": "news_agriculture",
    "sentence": "今年小麦丰收",
    "keywords": "小麦,丰收",
  }
  [one] = read(Tnews, tmp_path, record)
  assert one.label == "news_agriculture"
  assert one.fields == {"sentence": "今年小麦丰收"}
  stock = {"label": "114", "label_desc": "stock", "sentence": "大盘上涨"}
  assert read(Tnews, tmp_path, stock)[0].label == "news_stock"
  for change, message in (
    ({"label": "105"}, "line 1: label '105': unknown; valid: 0 news_story"),
    ({"label": "100"}, "label 100 is news_story, and label_desc=news_agric"),
  ):
    with pytest.raises(UsageError, match=message):
      read(Tnews, tmp_path, record | change)


def test_cluewsc_marks_noun_and_pronoun(tmp_path):
  target = {
    "span1_index": 4,
    "span1_text": "手机",
    "span2_index": 9,
    "span2_text": "它",
  }
  record = {
    "target": target,
    "idx": 7,
    "label": "false",
    "text": "桌上的旧手机响了，它很吵。",
  }
  [one] = read(Cluewsc2020, tmp_path, record)
  assert one.fields["text"] == "桌上的旧_手机_响了，[它]很吵。"
  assert (one.fields["noun"], one.label) == ("手机", "false")
  for change, message in (
    ({"span1_index": 5}, "line 1: span1_index=5: span1_text='手机' does not"),
    ({"span2_index": None}, "line 1: field span2_index=None: must be a whole"),
    ({"span2_index": -4}, "line 1: span2_index=-4: span2_text='它' does not"),
  ):
    with pytest.raises(UsageError, match=message):
      read(Cluewsc2020, tmp_path, record | {"target": target | change})


def test_chnsenticorp_reads_its_tables(tmp_path):
  for name, row in (("train", '1\t房间很"大"。'), ("test", "0\t太吵")):
    (tmp_path / f"{name}.tsv").write_text(f"label\ttext_a\n{row}\n", "utf-8")
  (tmp_path / "dev.tsv").write_text("qid\tlabel\ttext_a\n0\t1\t好\n", "utf-8")
  read_ = [
    (x.fields["text"], x.label)
    for split in ("train", "dev", "test")
    for x in Chnsenticorp().examples(split, str(tmp_path))
  ]
  assert read_ == [
    ('房间很"大"。', "positive"),
    ("好", "positive"),
    ("太吵", "negative"),
  ]
  with pytest.raises(UsageError, match="TFDS has it not; name its files"):
    Chnsenticorp().examples("train")


@pytest.mark.parametrize("task", TASKS)
def test_templates_know_all_fields_and_labels(task):
  own = template.load(task().name)
  assert set(own.fields) == set(task.form.fields)
  assert [label for label, _ in own.choices] == list(task.form.labels)
  assert len({text for _, text in own.choices}) == len(task.form.labels)
  asked = own.render({name: f"〈{name}〉" for name in own.fields})
  assert all(f"〈{name}〉" in asked for name in own.fields)
