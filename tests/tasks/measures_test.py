"""The official measures, against their definitions and other code."""

import collections
import itertools
import random

import pytest

from lm_jax.examples import semeval
from lm_jax.examples.forms import Question, Span, Tagged
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _reading
from lm_jax.tasks.semeval2010t8 import macro_f1
from lm_jax.tasks.squad import Squad
from lm_jax.tasks.squad2 import Squad2
from lm_jax.tasks.wnut17 import Wnut17


def question(*answers):
  context = "x".join(answers)
  spans = tuple(Span(text, context.index(text)) for text in answers)
  return Question("1", "", context, "?", spans)


@pytest.mark.parametrize(
  ("told", "right", "exact", "f1"),
  [
    ("The Cat!", "cat", 1, 1),
    ("a cat", "the black cat", 0, 2 / 3),
    ("cat cat", "cat", 0, 2 / 3),  # a bag of words, not a set
    ("theatre", "atre", 0, 0),  # articles are whole words
    ("dog", "cat", 0, 0),
    ("", "cat", 0, 0),
    ("the", "", 1, 1),  # nothing is left of both
    ("U.S.", "us", 1, 1),
    ("2,700", "2 700", 0, 0),
  ],
)
def test_squads_rule(told, right, exact, f1):
  assert _reading.exact_match(told, right) == exact
  assert _reading.word_f1(told, right) == pytest.approx(f1)


def test_the_best_of_several_answers_and_halves():
  examples = [question("black cat", "cat"), question("dog"), question()]
  metrics, scores = Squad().judge(["cat", "a dog", ""], examples)
  assert metrics == {"exact_match": 1, "f1": 1} and scores == [1, 1, 1]
  metrics, scores = Squad2().judge(["black dog", "", "dog"], examples)
  assert scores == [0.5, 0, 0]
  assert metrics == pytest.approx(
    {
      "exact_match": 0,
      "f1": 1 / 6,
      "HasAns_exact": 0,
      "HasAns_f1": 0.25,
      "NoAns_exact": 0,
      "NoAns_f1": 0,
    }
  )


def test_another_number_of_answers_is_refused():
  with pytest.raises(UsageError, match="squad: 0 answers to 1 examples"):
    Squad().judge([], [question("a")])
  one = Tagged("7", ("a", "b"), ("O", "O"))
  with pytest.raises(UsageError, match="example 7: 1 answers to 2 examples"):
    Wnut17().judge([["O"]], [one])


def entities(tags):
  """By definition: maximal runs of one kind, begun by B or a change."""
  found, start = set(), None
  for i, tag in enumerate([*tags, "O"]):
    kind = tag[2:]
    if start is not None and (tag[0] != "I" or kind != start[1]):
      found.add((*start, i))
      start = None
    if tag != "O" and start is None:
      start = (i, kind)
  return found


def test_entity_f1_is_that_of_whole_entities():
  pytest.importorskip("seqeval")
  rng = random.Random(0)
  tags = ["O", "B-x", "I-x", "B-y", "I-y"]
  right, told = (
    [[rng.choice(tags) for _ in range(8)] for _ in range(40)] for _ in range(2)
  )
  examples = [
    Tagged(str(i), tuple("abcdefgh"), tuple(one)) for i, one in enumerate(right)
  ]
  metrics, scores = Wnut17().judge(told, examples)
  hits = collections.Counter()
  for a, b in zip(told, right, strict=True):
    one, two = entities(a), entities(b)
    hits.update(both=len(one & two), told=len(one), there=len(two))
  assert metrics["precision"] == pytest.approx(hits["both"] / hits["told"])
  assert metrics["recall"] == pytest.approx(hits["both"] / hits["there"])
  f1 = 2 * hits["both"] / (hits["told"] + hits["there"])
  assert metrics["f1"] == pytest.approx(f1)
  assert set(metrics) == {"f1", "precision", "recall", "f1/x", "f1/y"}
  assert scores[0] == pytest.approx(
    2
    * len(entities(told[0]) & entities(right[0]))
    / max(len(entities(told[0])) + len(entities(right[0])), 1)
  )


def official(predicted, right):
  """As the scorer of the task has it: a matrix of confusions, with ways.

  C of a relation are those right in it and its way, xDIRx those right in it
  and not in its way; precision is C by all that was called so, recall C by all
  that is so; the mean is over the nine relations.
  """
  confusion = collections.Counter(zip(right, predicted, strict=True))
  scores = []
  for name in semeval.RELATIONS:
    ways = [f"{name}(e1,e2)", f"{name}(e2,e1)"]
    c = sum(confusion[w, w] for w in ways)
    wrong_way = sum(confusion[w, v] for w, v in itertools.permutations(ways))
    called = there = c + wrong_way
    for other in semeval.LABELS:
      if other not in ways:
        called += sum(confusion[other, w] for w in ways)
        there += sum(confusion[w, other] for w in ways)
    p, r = c / called if called else 0, c / there if there else 0
    scores.append(2 * p * r / (p + r) if p + r else 0)
  return sum(scores) / 9


def test_semevals_rule_by_brute_force():
  rng = random.Random(0)
  for size in (1, 30, 500):
    right = rng.choices(semeval.LABELS, k=size)
    told = [
      x if rng.random() < 0.4 else rng.choice(semeval.LABELS) for x in right
    ]
    assert macro_f1(told, right) == pytest.approx(official(told, right))
  assert len(semeval.LABELS) == 19
  assert macro_f1(semeval.LABELS, semeval.LABELS) == 1
  assert macro_f1(["Other"] * 19, semeval.LABELS) == 0
