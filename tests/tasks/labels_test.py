"""Measures of labels where answers may be any text, against scikit-learn."""

import random

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from lm_jax.examples import semeval
from lm_jax.examples.forms import Example
from lm_jax.tasks import _labels
from lm_jax.tasks.cola import Cola
from lm_jax.tasks.gsm8k import Gsm8k
from lm_jax.tasks.mrpc import Mrpc
from lm_jax.tasks.semeval2010t8 import macro_f1
from lm_jax.tasks.topic import Topic


def examples(labels):
  return [Example(str(i), {}, label) for i, label in enumerate(labels)]


@pytest.mark.parametrize("wrong", [["sports news"], ["a", "b", "c", "d"]])
def test_an_answer_that_is_no_label_is_no_class_of_a_mean(wrong):
  labels = Topic.form.labels
  right = [labels[i % 4] for i in range(100)]
  told = [*wrong, *right[len(wrong) :]]
  found = Topic().judge(told, examples(right)).metrics
  assert found["accuracy"] == pytest.approx(1 - len(wrong) / 100)
  per_label = [2 * 24 / (24 + 25)] * len(wrong) + [1.0] * (4 - len(wrong))
  assert found["f1"] == pytest.approx(np.mean(per_label))
  assert found["f1"] == pytest.approx(
    sklearn_metrics.f1_score(right, told, labels=labels, average="macro")
  )


def gorodkin(right, told, labels):
  """The correlation of K columns, by covariances of indicators."""
  columns = [*labels, None]
  x, y = (
    np.array([[t == c for c in columns] for t in texts], float)
    for texts in (
      right,
      [t if t in labels else None for t in told],
    )
  )
  x, y = x - x.mean(axis=0), y - y.mean(axis=0)
  return (x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())


def test_matthews_correlation_does_not_depend_on_what_is_said_instead():
  rng = random.Random(0)
  labels = Cola.form.labels
  right = [rng.choice(labels) for _ in range(200)]
  told = [x if rng.random() < 0.7 else rng.choice(labels) for x in right]
  binary = Cola().judge(told, examples(right)).metrics["matthews"]
  both = [[x == labels[1] for x in some] for some in (right, told)]
  assert binary == pytest.approx(np.corrcoef(both)[0, 1])
  silent = [*["one"] * 30, *told[30:]]
  chatty = [*map(str, range(30)), *told[30:]]
  one, other = (
    Cola().judge(some, examples(right)).metrics["matthews"]
    for some in (silent, chatty)
  )
  assert one == other == pytest.approx(gorodkin(right, silent, labels))
  assert one < binary
  nothing = Cola().judge(["x"] * 200, examples(right)).metrics
  assert nothing == {"accuracy": 0, "matthews": 0}


def test_f1_of_the_positive_label_takes_any_answer():
  right = ["equivalent", "equivalent", "not_equivalent", "not_equivalent"]
  told = ["equivalent", "perhaps", "equivalent", ""]
  found = Mrpc().judge(told, examples(right)).metrics
  assert found == {"accuracy": 0.25, "f1": 0.5}
  same = [x == "equivalent" for x in right], [x == "equivalent" for x in told]
  assert found["f1"] == sklearn_metrics.f1_score(*same)
  # Of a sample without the label there is none.
  assert _labels.f1(["x"], ["not_equivalent"], "equivalent") == 0


def test_a_relation_in_no_way_that_there_is_is_not_called():
  right = ["Cause-Effect(e1,e2)", "Other"]
  plain = macro_f1(["Cause-Effect(e1,e2)", "anything"], right)
  assert macro_f1(["Cause-Effect(e1,e2)", "Cause-Effect"], right) == plain
  assert plain == pytest.approx(1 / len(semeval.RELATIONS))


@pytest.mark.parametrize(
  ("answer", "number"),
  [
    *((".5", "0.5"), ("-.5", "-0.5"), ("$.50", "0.5"), ("a .25 b", "0.25")),
    *(("1,000", "1000"), ("$1,234.50", "1234.5"), ("5.", "5"), ("-$5", "-5")),
    *(("\N{MINUS SIGN}5", "-5"), ("007", "7"), ("-0.0", "0"), ("12,", "12")),
    *(("3/4", "3"), ("No.5", "5"), ("...5", "5"), ("none. ", "none")),
  ],
)
def test_numbers_of_word_problems(answer, number):
  assert Gsm8k().normal(answer) == number


def test_answers_without_labels_are_compared_in_their_normal_form():
  found = Gsm8k().judge(["$1,000.00", ".5", "7"], examples(["1000", "5", "7"]))
  assert found.scores == [1, 0, 1]
