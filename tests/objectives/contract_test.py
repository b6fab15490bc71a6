"""What every objective promises, on each architecture that it declares.

Objectives are discovered; a new file needs one line here, in SEEN: what a
prediction may depend on, and must.
"""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax
import numpy as np
import pytest

from lm_jax import program, registry
from lm_jax.objectives.base import Objective
from lm_jax.types import ARCHITECTURES, Rows

PACKAGE = "lm_jax.objectives"
PIECES = [[14, 12], [40], [9, 8, 11], [19]]
DOCUMENTS = [[24], [40], [28], [19]]


def find(name):
  return registry.find(PACKAGE, name, Objective, "--objective")


CASES = [
  (name, architecture)
  for name in registry.names(PACKAGE)
  for architecture in ARCHITECTURES
  if architecture in find(name).architectures
]


class Recorder:
  """The network; keeps what a loss reads from it.

  vocabulary: logits and targets, by call; heads: other heads' logits.
  reads: the tokens that stacks read.
  """

  def __init__(self, net, problem):
    self.net = net
    self.problem = problem
    self.kept = {"vocabulary": [], "heads": [], "reads": []}

  def hidden(self, inputs, source=None, stack="main"):
    self.kept["reads"].append(inputs.tokens_BxT)
    return self.net.hidden(inputs, source, stack)

  def head(self, name, *args, **kwargs):
    logits = self.net.head(name, *args, **kwargs)
    if name == "vocabulary":
      self.kept[name].append((logits, self.problem.targets_BxP))
    else:
      self.kept["heads"].append(logits)
    return logits

  def nll(self, hidden, targets, positions=None, stack="main"):
    logits = self.net.head("vocabulary", hidden, positions, stack)
    self.kept["vocabulary"].append((logits, targets))
    return self.net.nll(hidden, targets, positions, stack)


@dataclasses.dataclass(frozen=True)
class Case:
  """An objective on an architecture, with rows of all-distinct tokens."""

  name: str
  architecture: str
  tiny: object
  seed: int = 3

  @functools.cached_property
  def objective(self):
    """Masked LM with 100/0/0 for 80/10/10, so that targets stand nowhere."""
    cls = find(self.name)
    hide = {"masked": 1.0, "replaced": 0.0}
    fields = {field.name: field.default for field in dataclasses.fields(cls)}
    return cls(
      **{k: v for k, v in hide.items() if isinstance(fields.get(k), float)}
    )

  @functools.cached_property
  def spec(self):
    return self.tiny.spec(self.architecture)

  @functools.cached_property
  def network(self):
    return self.tiny.network(self.objective, self.spec, layers=2)

  @functools.cached_property
  def params(self):
    return self.tiny.parameters(self.objective, self.spec, self.network)

  @functools.cached_property
  def rows(self):
    pieces = DOCUMENTS if self.objective.needs_documents else PIECES
    return self.tiny.rows(pieces, distinct=True)

  @functools.cached_property
  def places(self):
    """Row and index of every text token."""
    is_text_BxL = self.rows.tokens_BxL >= self.tiny.specials.count
    return list(zip(*np.nonzero(is_text_BxL), strict=True))

  @functools.cached_property
  def variants(self):
    """The rows; then, for each place, the rows with another token there."""

    def repeat(values_BxL):
      return np.repeat(values_BxL[None], len(self.places) + 1, axis=0)

    rows = jax.tree.map(repeat, self.rows)
    for n, (b, j) in enumerate(self.places, 1):
      rows.tokens_BxL[n, b, j] = self.tiny.vocabulary - 1
    return rows

  @functools.cached_property
  def found(self):
    """Of each variant: problem, loss, gradients, what the loss read.

    The variants go through one program one by one, so that equal input gives
    equal bits.
    """
    objective, spec = self.objective, self.spec

    def record(net, problem, key):
      recorder = Recorder(net, problem)
      return objective.loss(recorder, problem, key), recorder.kept

    def loss(params, problem, key):
      apply = nn.apply(record, self.network)
      terms, kept = apply({"params": params}, problem, key)
      whole = program.denominators(problem)
      return program.total(terms, problem, whole)[0], kept

    def run(params, variants, key):
      def one(rows):
        problem = objective.make(key, rows, spec)
        gradient = jax.value_and_grad(loss, has_aux=True)
        (value, kept), grads = gradient(params, problem, key)
        return problem, value, grads, kept

      return jax.lax.map(one, variants)

    key = jax.random.key(self.seed)
    return jax.device_get(self.tiny.jit(run)(self.params, self.variants, key))

  @functools.cached_property
  def problem(self):
    """That of the rows as they are."""
    return jax.tree.map(lambda x: x[0], self.found[0])


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def case(request, tiny):
  return Case(*request.param, tiny)


def same(tree, other):
  equal = jax.tree.map(np.array_equal, tree, other)
  return all(jax.tree.leaves(equal))


def test_it_runs(case):
  case.objective.check(case.spec, 4, 1)
  _, losses, grads, _ = case.found
  assert np.all(np.isfinite(losses)) and np.all(losses > 0)
  for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
    assert np.all(np.isfinite(leaf)), path
    assert np.any(leaf), path  # each parameter is trained


def test_shapes_are_static(case):
  """They follow from shapes alone; integers and float32 throughout."""
  rows = program.abstract_rows(4, case.spec.length)
  shapes = jax.eval_shape(
    lambda key, rows: case.objective.make(key, rows, case.spec),
    jax.random.key(0),
    rows,
  )
  jax.tree.map(
    lambda shape, array: (
      np.testing.assert_equal((shape.shape, shape.dtype), (
        array.shape, array.dtype))
    ),
    shapes,
    case.problem,
  )
  problem = case.problem
  assert jax.tree.leaves(problem.inputs)[0].dtype == np.int32
  assert {w.dtype for w in problem.weights.values()} == {np.dtype("float32")}


def test_a_problem_is_a_function_of_the_key(case):
  """Whatever it is compiled with; and of the key it does depend."""
  again, other = (
    case.tiny.make(case.objective, case.spec, case.rows, seed)
    for seed in (case.seed, case.seed + 1)
  )
  assert same(again, case.problem)
  assert same(other, case.problem) == (case.name == "clm")


# Losses as the papers have them, in float64, from what the network gives.


def log_softmax(logits):
  logits = np.float64(logits)
  top = logits.max(axis=-1, keepdims=True)
  return logits - top - np.log(np.sum(np.exp(logits - top), -1, keepdims=True))


def cross_entropy(logits, targets, weights):
  """-1/n sum log p(target) over the n targets."""
  chosen = np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)
  return -np.sum(chosen[..., 0] * weights) / np.sum(weights)


def plain_loss(objective, problem, rows, kept):
  (logits, targets), *_ = kept["vocabulary"]
  return cross_entropy(logits, targets, problem.weights["nll"])


def hybrid_loss(objective, problem, rows, kept):
  causal, masked = (
    cross_entropy(logits, targets, problem.weights[name])
    for name, (logits, targets) in zip(
      ("causal", "masked"), kept["vocabulary"], strict=True
    )
  )
  return 0.5 * causal + 0.5 * masked


def pair_loss(objective, problem, rows, kept):
  label_B, real_B = problem.extra["label_B"], problem.weights["pair"]
  return plain_loss(objective, problem, rows, kept) + cross_entropy(
    kept["heads"][0], label_B, real_B
  )


def replaced_loss(objective, problem, rows, kept):
  _, read_BxL = kept["reads"]
  is_original = read_BxL == rows.tokens_BxL
  real = rows.segment_BxL > 0
  probability = 1 / (1 + np.exp(-np.float64(kept["heads"][0][..., 0])))
  losses = -np.log(np.where(is_original, 1 - probability, probability))
  return plain_loss(objective, problem, rows, kept) + 50 * np.mean(losses[real])


LOSSES = {
  "hybrid": hybrid_loss,
  "mlm_nsp": pair_loss,
  "mlm_sop": pair_loss,
  "rtd": replaced_loss,
}


def test_the_loss_is_the_papers(case):
  _, losses, _, kept = jax.tree.map(lambda x: x[0], case.found)
  formula = LOSSES.get(case.name, plain_loss)
  want = formula(case.objective, case.problem, case.rows, kept)
  np.testing.assert_allclose(losses, want, 1e-5)


# What a slot may see of the text. Each takes the case, the kept logits' number
# and targets and weights [R, P], and returns a function of a slot (r, p), its
# target's place and another place: does the other token bear on the slot?


def left_to_right(case, targets, weights):
  """The context, and the answer's tokens before the slot."""
  problem, tokens_BxL = case.problem, case.rows.tokens_BxL
  order = [
    {int(targets[r, p]): p for p in np.flatnonzero(weights[r])}
    for r in range(len(targets))
  ]
  context = set()
  if case.name == "denoising":  # its answer is the whole text
    reads_BxS = (
      problem.source.tokens_BxT
      if problem.source
      else problem.inputs.tokens_BxT[:, : -targets.shape[1]]
    )
    context = set(reads_BxS.ravel().tolist())

  def seen(r, p, place, other):
    token = int(tokens_BxL[other])
    return same_segment(case, place, other) and (
      token in context or order[r].get(token, -1) < p
    )

  return seen


def masked(case, targets, weights):
  """What the stream still shows, at the slot or elsewhere."""
  inputs = case.problem.inputs

  def seen(r, p, place, other):
    row = r if len(targets) == len(inputs.tokens_BxT) else place[0]
    token = case.rows.tokens_BxL[other]
    segment = case.rows.segment_BxL[place]
    shown = inputs.tokens_BxT[row][inputs.segment_BxT[row] == segment]
    return token in shown

  return seen


def permuted(case, targets, weights):
  """What comes before the target in the order."""
  rank_BxT = case.problem.inputs.key_rank_BxT

  def seen(r, p, place, other):
    earlier = rank_BxT[other] < rank_BxT[place]
    return same_segment(case, place, other) and earlier

  return seen


def same_segment(case, place, other):
  segment_BxL = case.rows.segment_BxL
  alike = segment_BxL[place] == segment_BxL[other]
  return place[0] == other[0] and alike


# One for each use of the vocabulary, in the order in which the loss does.
SEEN = {
  "clm": [left_to_right],
  "denoising": [left_to_right],
  "hybrid": [left_to_right, masked],
  "mlm": [masked],
  "mlm_nsp": [masked],
  "mlm_sop": [masked],
  "permutation_lm": [permuted],
  "prefix_lm": [left_to_right],
  "rtd": [masked],
  "span_corruption": [left_to_right],
  "ul2": [left_to_right],
}


def test_a_prediction_depends_on_what_it_may_see_and_on_no_more(case):
  """Every token is changed in turn: which distributions change with it?"""
  place_of = {int(case.rows.tokens_BxL[place]): place for place in case.places}
  weights = list(case.problem.weights.values())
  kept = case.found[3]["vocabulary"]
  assert len(kept) == len(SEEN[case.name])
  for (logits, targets), weight_RxP, oracle in zip(
    kept, weights, SEEN[case.name], strict=False
  ):
    targets_RxP = targets[0]
    changed_NxRxP = np.any(logits[1:] != logits[0], axis=-1)
    seen = oracle(case, targets_RxP, weight_RxP)
    slots = [
      (r, p, place_of[int(targets_RxP[r, p])])
      for r, p in zip(*np.nonzero(weight_RxP), strict=True)
      if int(targets_RxP[r, p]) in place_of
    ]
    want = [[seen(*slot, other) for slot in slots] for other in case.places]
    got = [
      [changed_NxRxP[n, r, p] for r, p, _ in slots]
      for n in range(len(case.places))
    ]
    np.testing.assert_array_equal(got, want)
    assert np.any(want) and not np.all(want)


def test_scores(case, tiny):
  """Zero on specials and padding; nothing but the text bears on a score."""
  network = tiny.network(case.objective, case.spec)
  params = tiny.parameters(case.objective, case.spec, network)
  score = tiny.score(case.objective, case.spec, network)
  texts = tiny.rows([[20], [9], [13], [3]], 20, end=False)
  texts.tokens_BxL[0, 7] = tiny.specials.unknown
  scores_BxL = np.asarray(score(params, texts))
  assert scores_BxL.shape == (4, 20) and scores_BxL.dtype == np.float32
  is_text_BxL = texts.tokens_BxL >= tiny.specials.count
  np.testing.assert_array_equal(scores_BxL != 0, is_text_BxL)
  assert np.all(scores_BxL <= 0)
  # The same texts in longer rows, in another order, beside another text.
  other = jax.tree.map(lambda x: x[2:] + (x[2:] >= 109), texts)
  wide = Rows(
    *(
      np.pad(
        np.concatenate([getattr(part, field.name) for part in (other, texts)]),
        ((0, 0), (0, 4)),
        constant_values=-1 if field.name == "part_BxL" else 0,
      )
      for field in dataclasses.fields(Rows)
      if field.name != "label"
    )
  )
  wide_BxL = np.asarray(score(params, wide))
  np.testing.assert_allclose(wide_BxL[2:, :20], scores_BxL, 0, 2e-5)
  assert not np.any(wide_BxL[:, 20:])
