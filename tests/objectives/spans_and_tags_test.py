"""label_tokens and extract: their losses in float64, and no leak in a row."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from scipy import special

from lm_jax.objectives.extract import END, START, Extract
from lm_jax.objectives.label_tokens import LabelTokens
from lm_jax.types import ARCHITECTURES, CONTEXT, PADDING

PIECES = [[14, 12], [40], [9, 8, 11], [19]]
TAGS = ("O", "B-x", "I-x")


def tagged(rows, seed=0):
  """Tags of some tokens."""
  rng = np.random.default_rng(seed)
  label = rng.integers(-1, len(TAGS), rows.tokens_BxL.shape)
  return np.where(rows.segment_BxL > 0, label, -1)


def spans(rows, seed=0):
  """In each segment: no answer in a first half, and a start and an end.

  Of the last one neither, as where a window is not to be learnt from.
  """
  rng = np.random.default_rng(seed)
  label = np.full(rows.tokens_BxL.shape, -1)
  for b, sizes in enumerate(PIECES):
    at = 0
    for size in sizes:
      label[b, at] = 0
      label[b, at + size // 2 : at + size] = 0
      if b < len(PIECES) - 1:
        first, last = sorted(rng.integers(size // 2, size, 2))
        label[b, at + first] |= START
        label[b, at + last] |= END
      at += size
  return label


def nll_of_tags(logits, rows):
  logp = special.log_softmax(np.float64(logits), axis=-1)
  told = np.argwhere(rows.label >= 0)
  return np.mean([-logp[b, i, rows.label[b, i]] for b, i in told])


def nll_of_spans(logits, rows):
  """Devlin et al. 2019, section 4.2, segment by segment."""
  losses = []
  for b, sizes in enumerate(PIECES):
    for segment in range(1, len(sizes) + 1):
      may = (rows.segment_BxL[b] == segment) & (rows.label[b] >= 0)
      label = rows.label[b][may]
      if not label.any():
        continue
      logp = special.log_softmax(np.float64(logits[b][may]), axis=0)
      start, end = (np.flatnonzero(label & bit)[0] for bit in (START, END))
      losses.append(-(logp[start, 0] + logp[end, 1]) / 2)
  return np.mean(losses)


CASES = {
  "label_tokens": (LabelTokens(labels=TAGS), tagged, nll_of_tags),
  "extract": (Extract(), spans, nll_of_spans),
}


@dataclasses.dataclass(frozen=True)
class Case:
  objective: object
  rows: object
  formula: object
  spec: object
  network: object
  params: object
  outputs: object


@pytest.fixture(
  scope="module",
  params=[(name, a) for name in CASES for a in ARCHITECTURES],
  ids="-".join,
)
def case(request, tiny):
  name, architecture = request.param
  objective, labels, formula = CASES[name]
  spec = tiny.spec(architecture)
  rows = labelled(tiny.rows(PIECES, distinct=True), labels)
  network = tiny.network(objective, spec, layers=2)
  params = tiny.parameters(objective, spec, network)
  outputs = tiny.apply(
    network, lambda net, rows: objective.outputs(net, rows, spec)
  )
  return Case(objective, rows, formula, spec, network, params, outputs)


def labelled(rows, labels):
  """As supervised rows are: all of it read, nothing of it to be said."""
  part = np.where(rows.segment_BxL > 0, CONTEXT, PADDING).astype(np.int32)
  label = labels(rows).astype(np.int32)
  return dataclasses.replace(rows, part_BxL=part, label=label)


def test_the_loss_is_the_papers(case, tiny):
  def loss(net, rows):
    problem = case.objective.make(None, rows, case.spec)
    terms = case.objective.loss(net, problem, None)
    weight = problem.weights["nll"]
    term = terms["nll"]
    return [
      (values * weight).sum() / weight.sum()
      for values in (term.losses, term.metrics["accuracy"])
    ]

  found, accuracy = tiny.apply(case.network, loss)(case.params, case.rows)
  logits = np.asarray(case.outputs(case.params, case.rows))
  want = case.formula(logits, case.rows)
  np.testing.assert_allclose(found, want, rtol=1e-5)
  assert 0 <= accuracy < 1


def test_an_example_is_answered_alike_wherever_it_stands(case, tiny):
  """Alone in a row as beside others, whatever they say."""
  rows = case.rows
  packed = np.asarray(case.outputs(case.params, rows))
  others = dataclasses.replace(
    rows,
    tokens_BxL=np.where(
      rows.segment_BxL == 2, rows.tokens_BxL, tiny.text_ids[-1]
    ).astype(np.int32),
  )
  beside = np.asarray(case.outputs(case.params, others))
  for b, at, size in ((0, 14, 12), (2, 9, 8)):
    here = slice(at, at + size)
    np.testing.assert_array_equal(packed[b, here], beside[b, here])

    def moved(values, fill, b=b, here=here, size=size):
      row = np.full_like(rows.tokens_BxL, fill)
      row[0, :size] = values[b, here]
      return row

    alone = dataclasses.replace(
      rows,
      tokens_BxL=moved(rows.tokens_BxL, 0),
      segment_BxL=moved(rows.segment_BxL > 0, 0),
      word_BxL=moved(rows.word_BxL, 0),
      sentence_BxL=moved(rows.sentence_BxL, 0),
      part_BxL=moved(rows.part_BxL, PADDING),
      label=moved(rows.label, -1),
    )
    found = np.asarray(case.outputs(case.params, alone))
    np.testing.assert_allclose(found[0, :size], packed[b, here], atol=1e-4)
  assert np.any(packed[0, :14] != beside[0, :14])


def test_what_may_be_an_answer_is_all_that_bears_on_it(tiny):
  """Logits of the question have no gradient."""
  objective, spec = Extract(), tiny.spec("encoder")
  rows = labelled(tiny.rows(PIECES, distinct=True), spans)
  problem = objective.make(None, rows, spec)

  class Fixed:
    def __init__(self, logits):
      self.logits = logits

    def hidden(self, inputs, source=None):
      return None

    def head(self, name, hidden):
      return self.logits

  def loss(logits):
    term = objective.loss(Fixed(logits), problem, None)["nll"]
    return (term.losses * problem.weights["nll"]).sum()

  logits = np.random.default_rng(0).normal(size=(*rows.label.shape, 2))
  gradient = np.asarray(jax.jit(jax.grad(loss))(np.float32(logits)))
  bears = np.broadcast_to((rows.label >= 0)[:, :, None], gradient.shape).copy()
  bears[-1] = False  # it has no span
  np.testing.assert_array_equal(gradient != 0, bears)
  assert np.all(np.isfinite(gradient))
