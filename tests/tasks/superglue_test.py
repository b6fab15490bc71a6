"""SuperGLUE's tasks and RACE as published and as TFDS has them."""

import json
import random
import types

import pytest
from json_lines import write
from sklearn import metrics as sklearn_metrics

from lm_jax.examples import files
from lm_jax.examples.forms import Example
from lm_jax.prompting.pairs import Scores
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _reading
from lm_jax.tasks.boolq import Boolq
from lm_jax.tasks.cb import Cb
from lm_jax.tasks.multirc import Multirc
from lm_jax.tasks.race import Race
from lm_jax.tasks.record import Record
from lm_jax.tasks.wic import Wic
from lm_jax.tasks.wsc import Wsc

PASSAGE = "Ann met Bo.\n@highlight\nBo left Rome."


def only(task, record, folder):
  write(folder / "val.jsonl", [record])
  [found] = task().examples("test", str(folder))
  return found


def test_boolq_and_cb(tmp_path):
  record = {"question": "is it", "passage": "It is.", "idx": 0, "label": True}
  found = only(Boolq, record, tmp_path)
  assert (list(found.fields), found.label) == (["passage", "question"], "True")
  record = {"premise": "p", "hypothesis": "h", "label": "neutral", "idx": 0}
  # A test split without labels is left alone.
  write(tmp_path / "test.jsonl", [{"premise": "p", "hypothesis": "secret"}])
  assert only(Cb, record, tmp_path).label == "neutral"
  labels = Cb.form.labels
  rng = random.Random(0)
  right = [rng.choice(labels) for _ in range(60)]
  told = [x if rng.random() < 0.5 else rng.choice(labels) for x in right]
  examples = [Example(str(i), {}, x) for i, x in enumerate(right)]
  assert Cb().judge(told, examples).metrics["f1"] == pytest.approx(
    sklearn_metrics.f1_score(right, told, average="macro")
  )


def test_wic_marks_the_word_in_both_sentences(tmp_path):
  record = {
    "word": "place",
    "sentence1": "Do you want to come to my place?",
    "sentence2": "A political system with places for place-men.",
    "start1": 26,
    "end1": 31,
    "start2": 24,
    "end2": 30,
    "label": False,
  }
  found = only(Wic, record, tmp_path)
  assert found.fields == {
    "sentence1": "Do you want to come to my * place *?",
    "sentence2": "A political system with * places * for place-men.",
    "word": "place",
  }
  assert found.label == "False"
  with pytest.raises(UsageError, match="line 1: start2=24: is no place of a"):
    only(Wic, record | {"end2": 90}, tmp_path)


@pytest.mark.parametrize(
  ("index", "span", "marked"),
  [
    *(
      (0, x, "* Mark * told Pete many lies about himself, which # Pete # saw.")
      for x in ("mark", "Mark,")
    ),
    (
      5,
      "about himself",
      "Mark told Pete many lies * about himself *, which # Pete # saw.",
    ),
  ],
)
def test_wsc_marks_the_name_and_the_pronoun(tmp_path, index, span, marked):
  record = {
    "text": "Mark told Pete many lies about himself, which Pete saw.",
    "target": {
      "span1_index": index,
      "span1_text": span,
      "span2_index": 8,
      "span2_text": "Pete",
    },
    "label": True,
  }
  found = only(Wsc, record, tmp_path)
  assert found.fields == {"text": marked, "pronoun": "Pete", "name": span}
  flat = {k: v for k, v in record.items() if k != "target"} | record["target"]
  assert only(Wsc, flat, tmp_path).fields == found.fields
  flat["span2_index"] = 40
  with pytest.raises(UsageError, match="span2_index=40: the text has 10 words"):
    only(Wsc, flat, tmp_path)


def paragraph(number, *questions):
  return {
    "idx": number,
    "version": 1.1,
    "passage": {
      "text": "<b>Sent 1: </b>It rains.<br>So it is wet.",
      "questions": [
        {
          "question": f"q{i}",
          "idx": i,
          "answers": [
            {"text": f"a{j}", "idx": j} | ({} if x is None else {"label": x})
            for j, x in enumerate(labels)
          ],
        }
        for i, labels in enumerate(questions)
      ],
    },
  }


def test_multirc_judges_answers_and_questions(tmp_path):
  write(tmp_path / "val.jsonl", [paragraph(3, [0, 1], [1, 1, 0])])
  write(tmp_path / "test.jsonl", [paragraph(4, [None])])
  found = Multirc().examples("test", str(tmp_path))
  assert [x.id for x in found] == ["3-0-0", "3-0-1", "3-1-0", "3-1-1", "3-1-2"]
  assert [x.label for x in found] == ["False", "True", "True", "True", "False"]
  assert found[3].fields == {
    "paragraph": "Sent 1: It rains. So it is wet.",
    "question": "q1",
    "answer": "a1",
  }
  told = ["False", "True", "True", "maybe", "True"]
  metrics, scores = Multirc().judge(told, found)
  # Of the second question two answers are judged wrongly.
  right = [x.label == "True" for x in found]
  f1 = sklearn_metrics.f1_score(right, [x == "True" for x in told])
  assert metrics == pytest.approx(
    {"accuracy": 3 / 5, "f1a": f1, "exact_match": 1 / 2}
  )
  assert scores == [1, 1, 1, 0, 0]
  assert Multirc().examples("train", str(tmp_path)) == []


def test_multirc_is_read_flat_from_tfds(monkeypatch):
  record = {
    "paragraph": "p",
    "question": "q",
    "answer": "a",
    "label": "True",
    "idx": {"paragraph": 1, "question": 2, "answer": 3},
  }
  asked = []

  def records(name, split, flag):
    asked.append((name, split))
    return iter([("there", record)])

  monkeypatch.setattr(files, "tfds_records", records)
  [found] = Multirc().examples("test")
  assert (found.id, found.label) == ("1-2-3", "True")
  assert Multirc().examples("dev") == []
  assert asked == [("super_glue/multirc", "validation")]


def cloze(*answers, idx=7):
  places = [(0, 2), (8, 9), (23, 24), (30, 33)]
  return {
    "source": "x",
    "idx": 0,
    "passage": {
      "text": PASSAGE,
      "entities": [{"start": a, "end": b} for a, b in places],
    },
    "qas": [
      {
        "idx": idx,
        "query": "The one who left was @placeholder.",
        "answers": [{"start": 0, "end": 0, "text": text} for text in answers],
      }
    ],
  }


def test_record_takes_the_best_of_several_answers(tmp_path):
  write(tmp_path / "val.jsonl", [cloze("Bo", "Ann")])
  write(tmp_path / "test.jsonl", [cloze()])
  [found] = Record().examples("test", str(tmp_path))
  assert found.question == "The one who left was @placeholder."
  for span in found.answers:
    assert found.context[span.start :].startswith(span.text)
  assert [x.text for x in found.answers] == ["Bo", "Ann"]
  assert Record().judge(["the Ann!"], [found]).metrics == {
    "exact_match": 1,
    "f1": 1,
  }
  metrics = Record().judge(["Bo left Rome"], [found]).metrics
  assert metrics == {"exact_match": 0, "f1": pytest.approx(2 * 1 / 4)}
  assert metrics["f1"] == max(
    _reading.word_f1("Bo left Rome", text) for text in ("Bo", "Ann")
  )


def test_record_without_fine_tuning_ranks_the_names(tmp_path):
  asked = []

  def choices(pairs):
    asked.extend(pairs)
    values = [3.0 if "Bo" in choice else 1.0 for _, choice in pairs]
    return Scores(values, values)

  write(tmp_path / "val.jsonl", [cloze("Bo"), cloze("Rome", "Ann", idx=8)])
  task = Record()
  task.place = str(tmp_path)
  found = task.measure(types.SimpleNamespace(choices=choices), None)
  assert found.metrics == {
    "record/f1": 0.5,
    "record/exact_match": 0.5,
    "record/items": 2,
  }
  assert found.items["record/f1"] == [1, 0]
  assert asked[:2] == [
    ("Ann met Bo.\nBo left Rome.", f"\nThe one who left was {name}.")
    for name in ("Ann", "Bo")
  ]
  assert len(asked) == 2 * 3  # Bo stands twice, and is asked for once.


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"qas": [{"query": "no", "answers": []}]}, "has no @placeholder"),
    ({"qas": 3}, "field qas=3: must be a list of objects"),
    ({"passage": {"text": 3}}, "field text=3: must be text"),
  ],
)
def test_what_is_wrong_with_a_line_of_record(tmp_path, change, message):
  write(tmp_path / "val.jsonl", [cloze("Bo") | change])
  with pytest.raises(UsageError, match=f"val.jsonl, line 1: .*{message}"):
    Record().examples("test", str(tmp_path))


def exam(name, *letters):
  return {
    "id": name,
    "article": f"text of {name}",
    "questions": [f"q{i} _ ?" for i in range(len(letters))],
    "options": [[f"o{j}" for j in range(4)] for _ in letters],
    "answers": list(letters),
  }


def test_race_as_published(tmp_path):
  for split, level, number, letters in (
    ("train", "high", 1, "A"),
    ("dev", "high", 2, "B"),
    ("test", "high", 10, "CA"),
    ("test", "middle", 3, "D"),
  ):
    folder = tmp_path / split / level
    folder.mkdir(parents=True, exist_ok=True)
    content = exam(f"{level}{number}.txt", *letters)
    (folder / f"{number}.txt").write_text(json.dumps(content))
  place = str(tmp_path)
  [train] = Race().examples("train", place)
  assert train.label == "A" and train.fields["C"] == "o2"
  found = Race().examples("test", place)
  assert [x.id for x in found] == [
    "high10.txt-0",
    "high10.txt-1",
    "middle3.txt-0",
  ]
  metrics = Race().judge(["C", "A", "A"], found).metrics
  assert metrics == {"accuracy": 2 / 3, "high": 1, "middle": 0}
  assert len(Race().examples("dev", place)) == 1
  write(tmp_path / "lines.jsonl", [exam("high1", "A", "B")])
  assert len(Race().examples("test", str(tmp_path / "lines.jsonl"))) == 0


def test_race_of_tfds_and_what_is_wrong(tmp_path, monkeypatch):
  def records(name, split, flag):
    level = name.partition("/")[2]
    record = exam("", "B") | {"example_id": f"{level}5.txt"}
    del record["id"]
    return iter([(f"{name}, {split}[0]", record)])

  monkeypatch.setattr(files, "tfds_records", records)
  assert [x.id for x in Race().examples("test")] == [
    "middle5.txt-0",
    "high5.txt-0",
  ]
  bad = exam("x", "A")
  for change, message in (
    ({"answers": ["A", "B"]}, "has 1, 1, 2 questions, options and answers"),
    ({"options": [["a"]]}, r"options\[0\]=.*must be 4 texts"),
    ({"answers": ["E"]}, "label 'E': unknown"),
  ):
    write(tmp_path / "test.jsonl", [bad | change])
    with pytest.raises(UsageError, match=message):
      Race().examples("test", str(tmp_path))


def test_tfds_has_them_without_tensorflow(tmp_path, monkeypatch):
  """SuperGLUE's builders ask TensorFlow for the dtypes of their columns."""
  import tensorflow_datasets as tfds
  from tensorflow_datasets.core import constants

  monkeypatch.setattr(constants, "DATA_DIR", str(tmp_path / "tfds"))
  monkeypatch.setattr(
    tfds.download.DownloadManager,
    "download_and_extract",
    lambda self, url: str(tmp_path),
  )
  (tmp_path / "WSC").mkdir()
  record = {
    "text": "Ann met Bo, whom she knew.",
    "target": {
      "span1_index": 0,
      "span1_text": "Ann",
      "span2_index": 4,
      "span2_text": "she",
    },
    "idx": 0,
  }
  for name in ("train", "val", "test"):
    told = {} if name == "test" else {"label": True}
    write(tmp_path / "WSC" / f"{name}.jsonl", [record | told])
  for split in ("train", "test"):
    [found] = Wsc().examples(split)
    assert found.fields["text"] == "* Ann * met Bo, whom # she # knew."
    assert found.label == "True"
