"""The labels of pairs do not show on their surface more than in BERT's and
ALBERT's own: in English, the embedded corpus, and in Chinese, of our own.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re

import jax
import numpy as np
import pretraining_pairs
import pytest

from lm_jax.data import pack, rows, sotu
from lm_jax.data.encoding import Encoded
from lm_jax.data.text import sentences
from lm_jax.objectives.mlm_nsp import MaskedLMNextSentence
from lm_jax.objectives.mlm_sop import MaskedLMSentenceOrder
from lm_jax.types import Spec, Specials

LENGTH, BATCH = 128, 64
SPECIALS = Specials()
FIRST = 1 + SPECIALS.ids[-1]
# Over so many pairs, the share of right guesses is off by 0.7 points.
PAIRS = 5000


@dataclasses.dataclass(frozen=True)
class Text:
  """Documents as sentences of ids; how each token begins and ends a text."""

  documents: list[list[list[int]]]
  begins: np.ndarray
  ends: np.ndarray


def _text(documents) -> Text:
  """Of sentences that are lists of words."""
  words = sorted({w for d in documents for s in d for w in s})
  ids = {word: FIRST + i for i, word in enumerate(words)}
  begins, ends = np.zeros((2, FIRST + len(words)), int)
  for word, i in ids.items():
    begins[i] = 1 + word[0].isupper() if word[0].isalpha() else 0
    ends[i] = word in ".!?。！？"
  return Text(
    [[[ids[w] for w in s] for s in document] for document in documents],
    begins,
    ends,
  )


@functools.cache
def english() -> Text:
  found = []
  for record in sotu.read()[::5]:
    lines = sentences(record["text"])
    found.append([re.findall(r"\w+|[^\w\s]", line) for line in lines])
  return _text(found)


@functools.cache
def chinese() -> Text:
  """Sentences of clauses, longer in some documents than in others; titles
  and quotations end without a full stop.
  """
  rng = np.random.default_rng(0)
  who, does, what = (
    ["我们", "他们", "村民", "老师", "船长", "孩子", "医生"],
    ["修好了", "看见了", "忘记了", "带来了", "卖掉了", "等着", "问起"],
    ["那座桥", "一封信", "河水", "新的路", "旧书", "晚饭", "春天"],
  )

  def clause():
    return [*rng.choice(who), *rng.choice(does), *rng.choice(what)]

  def sentence(mean):
    clauses = [clause() for _ in range(1 + rng.poisson(mean))]
    text = clauses[0]
    for other in clauses[1:]:
      text = [*text, "，", *other]
    kind = rng.random()
    if kind < 0.05:
      return text  # a title
    if kind < 0.1:
      return ["“", *text, "。", "”"]
    return [*text, rng.choice(["。", "。", "。", "！", "？"])]

  found = []
  for _ in range(120):
    mean = rng.choice([0.5, 1.5, 3.0])
    found.append([sentence(mean) for _ in range(rng.integers(5, 120))])
  return _text(found)


def _rows(text: Text, packing: str) -> list:
  """Batches of rows of documents, in random order."""
  found = []
  for document in text.documents:
    sizes = [len(s) for s in document]
    ids = np.concatenate(document).astype(np.int32)
    sentence = np.repeat(np.arange(len(sizes)), sizes).astype(np.int32)
    word = np.arange(ids.size, dtype=np.int32)
    found.append(Encoded(ids, word, sentence, np.ones_like(ids)))
  groups = [
    pack.Group(tokens, np.array([tokens.ids.size]), [True], [number])
    for number, tokens in enumerate(found)
  ]
  marks = pack.Marks(SPECIALS.pad, SPECIALS.boundary, SPECIALS.end)
  blocks = pack.pack(groups, LENGTH, packing, marks)
  rows_NxFxL = np.concatenate([block for block, _ in blocks])
  order = np.random.default_rng(0).permutation(len(rows_NxFxL))
  count = len(order) // BATCH
  return [
    rows._to_rows(rows_NxFxL[order[i * BATCH : (i + 1) * BATCH]].swapaxes(0, 1))
    for i in range(count)
  ]


def _made(objective, text: Text, packing: str, most: int = PAIRS):
  """Pairs, and their labels, in the order of a shuffled corpus."""
  spec = Spec("encoder", LENGTH, len(text.begins), SPECIALS)

  @jax.jit
  def make(key, rows):
    problem = objective.make(key, rows, spec)
    s = problem.inputs
    real_B = problem.weights["pair"]
    label_B = problem.extra["label_B"]
    return s.tokens_BxT, s.type_BxT, s.segment_BxT, label_B, real_B

  pairs, labels = [], []
  batches = _rows(text, packing)
  for step in itertools.count():
    # Halves of the result are of different rows.
    epoch, place = step % 4, step // 4
    if place == len(batches) or len(pairs) >= most:
      return pairs, np.array(labels)
    key = jax.random.fold_in(jax.random.key(place), epoch)
    found = jax.device_get(make(key, batches[place]))
    for tokens, types, segment, label, real in zip(*found, strict=True):
      if real:
        tokens, types = tokens[segment > 0], types[segment > 0]
        first, second = tokens[types == 0][1:-1], tokens[types == 1][:-1]
        pairs.append((first.tolist(), second.tolist()))
        labels.append(int(label))


def _guessed(pairs, labels, text):
  return 100 * pretraining_pairs.guessed(pairs, labels, text.begins, text.ends)


@functools.cache
def _published(text, order):
  found = [
    pretraining_pairs.published(text().documents, LENGTH - 1, order, seed)
    for seed in range(2)
  ]
  # Halves are of different documents.
  share = [np.arange(len(labels)) / len(labels) for _, labels in found]
  order_P = np.argsort(np.concatenate(share), kind="stable")
  pairs = [pair for some, _ in found for pair in some]
  labels = np.concatenate([labels for _, labels in found])
  return _guessed([pairs[i] for i in order_P], labels[order_P], text())


@pytest.mark.parametrize("text", [english, chinese])
@pytest.mark.parametrize("cls", [MaskedLMNextSentence, MaskedLMSentenceOrder])
def test_the_label_shows_no_more_than_in_the_published_pairs(cls, text):
  objective = cls(masked=0.0, replaced=0.0)
  pairs, labels = _made(objective, text(), pack.WHOLE)
  assert len(labels) > 3000
  assert abs(labels.mean() - 0.5) < 0.03
  order = cls is MaskedLMSentenceOrder
  found, peer = _guessed(pairs, labels, text()), _published(text, order)
  assert found <= peer + 2


@pytest.mark.parametrize(
  ("cls", "least"), [(MaskedLMNextSentence, 59), (MaskedLMSentenceOrder, 65)]
)
def test_the_guesser_sees_the_labels_of_halves(cls, least):
  """As they were: rows cut anywhere, in two at their middle."""
  objective = cls(masked=0.0, replaced=0.0, pairs="halves")
  pairs, labels = _made(objective, english(), "document", 4000)
  assert _guessed(pairs, labels, english()) > least
