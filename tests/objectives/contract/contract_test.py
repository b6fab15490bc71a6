"""What every objective promises, on each architecture that it declares.

Objectives are discovered, and a new file needs nothing here. One line in SEEN,
and one in LOSSES where the loss is its own, say exactly what a prediction may
depend on, and must, and what the loss is; those in tests/helpers/shipped.py
have them.
"""

from __future__ import annotations

import jax
import numpy as np
import pytest
import scipy.special
import shipped

from lm_jax.objectives.base import Objective
from lm_jax.training import plan


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
  rows = plan.abstract_rows(4, case.spec.length)
  shapes = jax.eval_shape(
    lambda key, rows: case.objective.make(key, rows, case.spec),
    jax.random.key(0),
    rows,
  )
  jax.tree.map(
    lambda shape, array: np.testing.assert_equal(
      (shape.shape, shape.dtype), (array.shape, array.dtype)
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
  if case.name in shipped.OBJECTIVES:
    assert same(other, case.problem) == (case.name == "clm")


# Losses as the papers have them, in float64, from what the network gives.


def cross_entropy(logits, targets, weights):
  """-1/n sum log p(target) over the n targets."""
  logp = scipy.special.log_softmax(np.float64(logits), axis=-1)
  chosen = np.take_along_axis(logp, targets[..., None], axis=-1)
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
  own = type(case.objective).loss is not Objective.loss
  if own and case.name not in {*LOSSES, *shipped.OBJECTIVES}:
    pytest.skip(f"{case.name} has a loss of its own, and none in LOSSES")
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


def predictions(case):
  """What every prediction depends on, for each use of the vocabulary.

  Every token is changed in turn: which distributions change with it?

  Yields:
    targets and weights [R, P], slots as (r, p, its target's place), and whether
    each of the places bears on each of the slots.
  """
  place_of = {int(case.rows.tokens_BxL[place]): place for place in case.places}
  weights = list(case.problem.weights.values())
  kept = case.found[3]["vocabulary"]
  for (logits, targets), weight_RxP in zip(kept, weights, strict=False):
    targets_RxP = targets[0]
    changed_NxRxP = np.any(logits[1:] != logits[0], axis=-1)
    slots = [
      (r, p, place_of[int(targets_RxP[r, p])])
      for r, p in zip(*np.nonzero(weight_RxP), strict=True)
      if int(targets_RxP[r, p]) in place_of
    ]
    got = [
      [changed_NxRxP[n, r, p] for r, p, _ in slots]
      for n in range(len(case.places))
    ]
    yield targets_RxP, weight_RxP, slots, np.array(got)


def test_a_prediction_depends_on_what_it_may_see_and_on_no_more(case):
  if case.name not in {*SEEN, *shipped.OBJECTIVES}:
    pytest.skip(f"{case.name} is new, and not in SEEN")
  assert len(case.found[3]["vocabulary"]) == len(SEEN[case.name])
  for (targets_RxP, weight_RxP, slots, got), oracle in zip(
    predictions(case), SEEN[case.name], strict=True
  ):
    seen = oracle(case, targets_RxP, weight_RxP)
    want = [[seen(*slot, other) for slot in slots] for other in case.places]
    np.testing.assert_array_equal(got, want)
    assert np.any(want) and not np.all(want)


def test_predictions_do_not_all_see_their_targets(case):
  """A new objective is held to this alone: a leak shows each of them.

  BERT keeps one in ten, and BART's answer is mostly in what it reads.
  """
  for _, _, slots, got in predictions(case):
    own = [got[case.places.index(slot[2]), n] for n, slot in enumerate(slots)]
    assert np.mean(own) < 0.9
    assert np.any(got)  # others are seen


def score(case, rows):
  """Scores by a network of one layer, from its own parameters."""
  tiny, objective, spec = case.tiny, case.objective, case.spec
  network = tiny.network(objective, spec)
  params = tiny.parameters(objective, spec, network)
  compiled = tiny.score(objective, spec, network)
  return [np.asarray(compiled(params, some)) for some in rows]


def test_scores_are_of_the_text_alone(case, tiny):
  """Zero on specials and padding; other rows do not bear on a score."""
  texts = tiny.rows([[20], [9], [13], [3]], 20, end=False)
  texts.tokens_BxL[0, 7] = tiny.specials.unknown
  others = jax.tree.map(lambda x: x[[2, 0, 1, 0]], texts)
  others.tokens_BxL[3, 1:] += 1
  scores_BxL, others_BxL = score(case, (texts, others))
  assert scores_BxL.shape == (4, 20)
  assert scores_BxL.dtype == np.float32
  is_text_BxL = tiny.is_text(texts.tokens_BxL)
  np.testing.assert_array_equal(scores_BxL != 0, is_text_BxL)
  assert np.all(scores_BxL <= 0)
  np.testing.assert_allclose(others_BxL[:3], scores_BxL[[2, 0, 1]], 0, 1e-5)


def test_padding_does_not_bear_on_a_score(natural, tiny):
  pieces = [[14], [9], [3]]
  short, long = (tiny.rows(pieces, length, end=False) for length in (16, 24))
  for b, (size,) in enumerate(pieces):
    for field in ("tokens_BxL", "word_BxL", "sentence_BxL"):
      getattr(long, field)[b, :size] = getattr(short, field)[b, :size]
  short_BxL, long_BxL = score(natural, (short, long))
  np.testing.assert_allclose(long_BxL[:, :16], short_BxL, 0, 1e-5)
  assert not np.any(long_BxL[:, 16:])
