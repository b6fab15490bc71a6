"""GLUE's tasks as published: tables without quotes, secret test labels."""

import gzip
import random

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from lm_jax.examples.forms import Example
from lm_jax.support.errors import UsageError
from lm_jax.tasks.cola import Cola
from lm_jax.tasks.mnli import Mnli
from lm_jax.tasks.mnli_mismatched import MnliMismatched
from lm_jax.tasks.mrpc import Mrpc
from lm_jax.tasks.qnli import Qnli
from lm_jax.tasks.qqp import Qqp
from lm_jax.tasks.rte import Rte
from lm_jax.tasks.stsb import Stsb, fifths


def table(path, *rows, opener=open):
  with opener(path, "wt", encoding="utf-8") as file:
    file.writelines("\t".join(map(str, row)) + "\n" for row in rows)


@pytest.mark.parametrize(
  ("task", "header", "row", "fields", "label"),
  [
    (
      Qqp,
      ("id", "qid1", "qid2", "question1", "question2", "is_duplicate"),
      ("7", "1", "2", 'What is "it?', "Who\u2028is it?", "1"),
      {"question1": 'What is "it?', "question2": "Who\u2028is it?"},
      "duplicate",
    ),
    (
      Qnli,
      ("index", "question", "sentence", "label"),
      ("0", "Where?", 'Here", it is.', "not_entailment"),
      {"question": "Where?", "sentence": 'Here", it is.'},
      "not_entailment",
    ),
    (
      Stsb,
      ("index", "genre", "sentence1", "sentence2", "score"),
      ("0", "x", "A cat.", "A dog.", "3.800"),
      {"sentence1": "A cat.", "sentence2": "A dog."},
      "3.8",
    ),
    (
      Rte,
      ("index", "sentence1", "sentence2", "label"),
      ("0", "It rains.", "It is wet.", "entailment"),
      {"premise": "It rains.", "hypothesis": "It is wet."},
      "entailment",
    ),
    (
      Mrpc,
      ("\ufeffQuality", "#1 ID", "#2 ID", "#1 String", "#2 String"),
      ("1", "2", "3", 'He said "no', "No, he said"),
      {"sentence1": 'He said "no', "sentence2": "No, he said"},
      "equivalent",
    ),
    (
      Cola,
      (),
      ("gj04", "0", "*", "The boy laugh."),
      {"text": "The boy laugh."},
      "unacceptable",
    ),
  ],
)
def test_tables_as_published(tmp_path, task, header, row, fields, label):
  head = [header] if header else []
  table(tmp_path / "train.tsv.gz", *head, row, opener=gzip.open)
  table(tmp_path / "dev.tsv", *head, row, row)
  # The labels of the test split are secret: its rows have none.
  table(tmp_path / "test.tsv", ("index", *fields), ("0", *fields.values()))
  place = str(tmp_path)
  [train] = task().examples("train", place)
  assert (dict(train.fields), train.label) == (fields, label)
  assert len(task().examples("test", place)) == 2
  assert task().examples("dev", place) == []


def test_rows_with_too_few_cells_are_left_out_and_told(tmp_path, caplog):
  rows = [("question1", "question2", "is_duplicate"), ("a", "b", "0")]
  table(tmp_path / "train.tsv", *rows, ("c", "d"), ("e", "f", "1"))
  found = Qqp().examples("train", str(tmp_path))
  assert [x.id for x in found] == ["2", "4"]
  assert "1 rows have fewer cells than columns, the first in line 3" in (
    caplog.text
  )


@pytest.mark.parametrize(
  ("rows", "message"),
  [
    ([("a", "b"), ("c", "d")], "line 1: names no column that is known"),
    (
      [("sentence1", "sentence2", "score"), ("a", "b", "5.5")],
      "line 2: field score='5.5': must be 0 to 5",
    ),
    (
      [("sentence1", "sentence2", "score"), ("a", "b", "nan")],
      "line 2: field score='nan': must be 0 to 5",
    ),
    (
      [("sentence1", "sentence2"), ("a", "b")],
      "line 2: no field 'score'",
    ),
  ],
)
def test_what_is_wrong_with_a_table_is_told(tmp_path, rows, message):
  table(tmp_path / "train.tsv", *rows)
  with pytest.raises(UsageError, match=message):
    Stsb().examples("train", str(tmp_path))


def test_mnli_has_two_test_sets(tmp_path):
  header = ("index", "sentence1", "sentence2", "label1", "gold_label")
  for name, count in (("train", 3), ("dev_matched", 2), ("dev_mismatched", 1)):
    rows = [(i, "p", name, "neutral", "contradiction") for i in range(count)]
    table(tmp_path / f"{name}.tsv", header, *rows)
  place = str(tmp_path)
  found = Mnli().examples("test", place)
  assert [x.fields["hypothesis"] for x in found] == ["dev_matched"] * 2
  assert Mnli().examples("dev", place) == []
  [other] = Mnli().others(place)["mismatched"]
  assert (other.fields["hypothesis"], other.label) == (
    "dev_mismatched",
    "contradiction",
  )
  assert MnliMismatched().examples("test", place) == [other]
  (tmp_path / "dev_mismatched.tsv").unlink()
  assert Mnli().others(place) == {}
  with pytest.raises(UsageError, match=r"no such file; tried .*mismatched"):
    MnliMismatched().examples("test", place)


def test_measures_of_pairs_of_questions():
  rng = random.Random(0)
  labels = Qqp.form.labels
  right = [rng.choice(labels) for _ in range(80)]
  told = [x if rng.random() < 0.6 else rng.choice(labels) for x in right]
  examples = [Example(str(i), {}, x) for i, x in enumerate(right)]
  found = Qqp().judge(told, examples).metrics
  assert found == pytest.approx(
    {
      "accuracy": sklearn_metrics.accuracy_score(right, told),
      "f1": sklearn_metrics.f1_score(right, told, pos_label="duplicate"),
    }
  )


def ranks(values):
  """Mean ranks, ties and all, by counting."""
  return [
    sum(y < x for y in values) + (sum(y == x for y in values) + 1) / 2
    for x in values
  ]


def test_correlations_of_scores_by_hand():
  rng = np.random.default_rng(0)
  right = np.round(rng.uniform(0, 5, 60), 1)
  told = right + rng.normal(0, 1, 60)
  examples = [Example(str(i), {}, f"{x:g}") for i, x in enumerate(right)]
  metrics, scores = Stsb().judge(told.tolist(), examples)
  assert metrics == pytest.approx(
    {
      "pearson": np.corrcoef(right, told)[0, 1],
      "spearman": np.corrcoef(ranks(right), ranks(told))[0, 1],
    }
  )
  assert scores[0] == pytest.approx(1 - abs(told[0] - right[0]) / 5)
  # As texts, one of which is no number: -1, as T5's evaluation has it.
  texts = [f"{x:.3f}" for x in told]
  texts[5] = "no idea"
  told[5] = -1
  metrics, scores = Stsb().judge(texts, examples)
  assert metrics["pearson"] == pytest.approx(
    np.corrcoef(right, told)[0, 1], abs=1e-3
  )
  same, _ = Stsb().judge(["nan"] * 60, examples)
  assert same == {"pearson": 0, "spearman": 0}


def test_scores_are_written_as_fifths():
  examples = [Example("1", {}, "3.25"), Example("2", {}, "0.95")]
  assert [Stsb().written(x) for x in examples] == ["3.2", "1.0"]
  assert fifths(4.95) == "5.0" and Stsb().normal("about 3.71.") == "3.8"
  assert Stsb().normal("none") == "none"
