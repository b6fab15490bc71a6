import gzip
import types

import pytest
from json_lines import write

from lm_jax.examples import labelled
from lm_jax.examples.labelled import Form
from lm_jax.support.errors import UsageError
from lm_jax.tasks.gsm8k import Gsm8k

FORM = Form(
  fields={"text": ("sentence", "text")},
  labels=("negative", "positive"),
  spellings={"bad": "negative"},
)


def test_names_numbers_and_spellings_of_labels(tmp_path):
  told = ["negative", 1, "0", "bad", 0]
  records = [{"text": str(i), "label": label} for i, label in enumerate(told)]
  write(tmp_path / "test.jsonl", records)
  found = labelled.from_files(FORM, str(tmp_path), "--task_data=x", "test")
  names = [example.label for example in found]
  assert names == ["negative", "positive", "negative", "negative", "negative"]
  assert [dict(e.fields) for e in found] == [{"text": str(i)} for i in range(5)]
  assert [e.id for e in found] == ["1", "2", "3", "4", "5"]


def test_a_prefix_gzip_another_name_and_blank_lines(tmp_path):
  one = {"sentence": "a", "text": "b", "label": 1}
  write(tmp_path / "sst2_train.jsonl.gz", [one, "", one])
  write(tmp_path / "sst2_dev.jsonl", [one])
  place = str(tmp_path / "sst2")
  train = labelled.from_files(FORM, place, "--task_data=x", "train")
  # The preferred name counts, and lines are counted as they stand.
  assert [(e.id, e.fields["text"]) for e in train] == [("1", "a"), ("3", "a")]
  assert len(labelled.from_files(FORM, place, "--task_data=x", "test")) == 1


def test_no_training_split_is_none_and_no_test_split_an_error(tmp_path):
  place = str(tmp_path / "a")
  assert labelled.from_files(FORM, place, "--task_data=x", "train") == []
  with pytest.raises(UsageError, match=r"a_test\.jsonl, .*a_dev\.jsonl, "):
    labelled.from_files(FORM, place, "--task_data=x", "test")


@pytest.mark.parametrize(
  ("line", "message"),
  [
    ("{", "line 2: not JSON"),
    ("[1]", r"line 2: must be an object, not \[1\]"),
    (
      '{"label": 1, "word": 2}',
      "no field 'sentence' or 'text'; it has 'label'",
    ),
    ('{"text": "a"}', "line 2: no field 'label'; it has 'text'"),
    ('{"text": ["a"], "label": 1}', "field text=.*must be text"),
    ('{"text": true, "label": 1}', "field text=True: must be text"),
    ('{"text": "a", "label": 2}', "label 2: unknown; valid: 0 negative"),
    ('{"text": "a", "label": "no"}', "label 'no': unknown"),
    ('{"text": "a", "label": true}', "label True: unknown"),
    ('{"text": "a", "label": null}', "label None: unknown"),
  ],
)
def test_a_bad_line_is_named(tmp_path, line, message):
  write(tmp_path / "test.jsonl", [{"text": "a", "label": 0}, line])
  with pytest.raises(UsageError, match=message) as error:
    labelled.from_files(FORM, str(tmp_path), "--task_data=x", "test")
  assert "test.jsonl, line 2" in str(error.value)


def test_damaged_files(tmp_path):
  good = gzip.compress(b'{"text": "a", "label": 0}\n' * 50)
  for name, data, message in (
    ("test.jsonl.gz", good[:-12], "damaged gzip file"),
    ("test.jsonl", b'{"text": "\xff", "label": 0}\n', "line 1: is not UTF-8"),
    ("test.jsonl", b"", "is empty"),
  ):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
      labelled.from_files(FORM, str(tmp_path), "--task_data=x", "test")
    (tmp_path / name).unlink()


def test_tfds_names_the_labels(monkeypatch):
  import numpy as np

  from lm_jax.data import catalog

  label = types.SimpleNamespace(names=["x", "y"])
  info = types.SimpleNamespace(features={"sentence": None, "label": label})
  builder = types.SimpleNamespace(info=info)
  records = [{"sentence": "ü".encode(), "label": np.int64(1)}]
  asked = []
  monkeypatch.setattr(catalog, "find", lambda name: builder)
  monkeypatch.setattr(catalog, "prepare", lambda *_: None)
  monkeypatch.setattr(
    catalog, "source", lambda b, split: asked.append(split) or records
  )
  # Not in the order of the task.
  form = Form({"text": ("sentence",)}, labels=("y", "x"), tfds="glue/sst2")
  found = labelled.from_tfds(form, "--tasks=sst2", "test")
  assert found == [labelled.Example("0", {"text": "ü"}, "y")]
  assert asked == ["validation"]


def test_a_tfds_error_names_the_task_and_the_way_out(monkeypatch):
  from lm_jax.data import catalog

  def gone(name):
    raise UsageError("it is gone")

  monkeypatch.setattr(catalog, "find", gone)
  form = Form({"text": ("text",)}, tfds="glue/sst2")
  with pytest.raises(UsageError) as error:
    labelled.from_tfds(form, "--tasks=sst2", "test")
  assert str(error.value) == (
    "--tasks=sst2: its data set glue/sst2: it is gone; or name local files by"
    " --task_data"
  )


def test_gsm8k_parts_reasoning_and_number(tmp_path):
  answer = "He has 2*<<2*3=6>>6\nand 1,234 more.\n#### 1,240"
  write(tmp_path / "test.jsonl", [{"question": "?", "answer": answer}])
  (found,) = Gsm8k().examples("test", str(tmp_path))
  assert found.label == "1240"
  assert found.fields["rationale"] == (
    "He has 2*6 and 1,234 more. The answer is 1240."
  )
  normal = Gsm8k().normal
  assert normal("$1,240.00.") == normal("1240 dollars") == "1240"
  assert normal("-3.50") == "-3.5" != normal("3.5")
  assert normal("100") == "100"
