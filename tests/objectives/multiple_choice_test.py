"""Scores of candidates, and the softmax over them, against float64 NumPy."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import supervised
import toy
from supervised import loss_of, outputs_of, run

from lm_jax import layout
from lm_jax.finetuning import packing
from lm_jax.objectives.multiple_choice import MultipleChoice
from lm_jax.support.errors import UsageError
from lm_jax.types import Spec

ARCHITECTURES = ("encoder", "causal_decoder", "prefix_decoder")


def case(architecture, **trunk):
  return supervised.case("multiple_choice", architecture, **trunk)


def examples(rows):
  """(row, number, label of each token, its columns) of every example."""
  for b, segment_L in enumerate(rows.segment_BxL):
    for number in range(segment_L.max()):
      at = np.flatnonzero(segment_L == number + 1)
      yield b, number, rows.label[b, at], at


def test_rows_hold_several_examples_of_two_and_of_three_candidates():
  """Or the tests below would say little."""
  _, _, rows = case("encoder")
  counts = [label.max() // 2 + 1 for _, _, label, _ in examples(rows)]
  assert set(counts) == {2, 3} and len(counts) > 5
  assert rows.segment_BxL.max() > 1


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_loss_is_the_softmax_over_an_examples_candidates(architecture):
  """Each candidate is read by itself, and the head's formula done by hand."""
  plan, params, rows = case(architecture)
  head = params["heads_choice"]

  def states(net, tokens_1xN, types_1xN):
    mask = "causal" if architecture == "causal_decoder" else "full"
    stream = layout.stream(
      tokens_1xN, jnp.ones_like(tokens_1xN), mask, type_BxT=types_1xN
    )
    return net.hidden(stream)

  problem, terms = loss_of(plan, params, rows)
  is_encoder = architecture == "encoder"
  for seen, (b, number, label_N, at) in enumerate(examples(rows)):
    if seen == 5:  # each shape of a text is compiled anew
      break
    scores, right = [], []
    for index in range(label_N.max() // 2 + 1):
      place = at[label_N // 2 == index]
      types = rows.sentence_BxL[b, place][None] if is_encoder else None
      x_NxD = run(plan, params, states, rows.tokens_BxL[b, place][None], types)
      x_D = np.float64(x_NxD[0, 0 if is_encoder else -1])
      if is_encoder:
        x_D = np.tanh(x_D @ np.float64(head["dense"]["kernel"]))
      scores.append(float(x_D @ np.float64(head["out"]["kernel"])[:, 0]))
      right.append(bool(rows.label[b, place[0]] % 2))
    [index] = np.flatnonzero(right)
    want = np.log(np.exp(scores).sum()) - scores[index]
    assert problem.weights["nll"][b, number] == 1
    np.testing.assert_allclose(terms["nll"].losses[b, number], want, 2e-5)
    is_right = float(np.argmax(scores) == index)
    assert terms["nll"].metrics["accuracy"][b, number] == is_right
  total = sum(1 for _ in examples(rows))
  assert problem.weights["nll"].sum() == total


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_outputs_are_what_the_loss_is_of(architecture):
  plan, params, rows = case(architecture)
  logits_BxExC = np.float64(outputs_of(plan, params, rows))
  problem, terms = loss_of(plan, params, rows)
  for b, number, label_N, _ in examples(rows):
    count = label_N.max() // 2 + 1
    logits_C = logits_BxExC[b, number]
    assert (logits_C[count:] < -1e29).all()
    [right] = set((label_N // 2)[label_N % 2 == 1])
    assert problem.targets_BxP[b, number] == right
    want = np.log(np.exp(logits_C[:count]).sum()) - logits_C[right]
    np.testing.assert_allclose(terms["nll"].losses[b, number], want, 2e-5)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_token_bears_on_its_own_candidate_alone(architecture):
  plan, params, rows = case(architecture)
  # Large enough that a token's influence can be seen.
  params = jax.tree.map(lambda x: 3 * x, params)
  before = outputs_of(plan, params, rows)
  b, number, label_N, at = next(x for x in examples(rows) if x[0] == 1)
  for index in range(label_N.max() // 2 + 1):
    tokens_BxL = rows.tokens_BxL.copy()
    place = at[label_N // 2 == index][1:]
    tokens_BxL[b, place] = toy.VOCABULARY - 1 - tokens_BxL[b, place] % 7
    after = outputs_of(
      plan, params, dataclasses.replace(rows, tokens_BxL=tokens_BxL)
    )
    changed = np.argwhere(before != after)
    np.testing.assert_array_equal(changed, [[b, number, index]])


def test_a_row_of_texts_needs_positions_for_one_of_them_only():
  """Ten serve rows of 32, which hold three candidates side by side."""
  learned = {"positions": "learned"}
  few = toy.LENGTH // 3
  plan, params, rows = case("encoder", max_positions=few, **learned)
  wide, more, _ = case("encoder", **learned)
  table_PxE = more["embedder_main"]["position_embedding"]
  params["embedder_main"]["position_embedding"] = table_PxE[:few]
  np.testing.assert_array_equal(
    outputs_of(plan, params, rows), outputs_of(wide, more, rows)
  )
  with pytest.raises(UsageError, match="of 10 tokens is too long"):
    case("encoder", max_positions=few - 1, **learned)


def test_of_answers_that_are_not_told_there_is_no_loss():
  """As when a model answers: labels count the candidates, none is right."""
  plan, params, rows = case("encoder")
  label = np.where(rows.label >= 0, rows.label // 2 * 2, rows.label)
  untold = dataclasses.replace(rows, label=label)
  problem, terms = loss_of(plan, params, untold)
  assert not problem.weights["nll"].any()
  assert np.isfinite(terms["nll"].losses).all()
  np.testing.assert_array_equal(
    outputs_of(plan, params, untold), outputs_of(plan, params, rows)
  )


def test_a_few_steps_learn_what_is_right():
  """The candidate whose first token has the largest id."""
  program = toy.program("multiple_choice", "encoder")
  state = toy.start(program)
  rows = toy.rows_for(program)
  losses = []
  for _ in range(30):
    state, metrics = toy.step(program, state, rows)
    losses.append(float(metrics["loss"]))
  assert losses[-1] < 0.6 * losses[0]


def test_rows_of_the_shortest_candidates_have_room_for_all():
  """So many examples as a row may have at most, of two candidates each."""
  items = []
  for number in range(8):
    tokens = np.full(8, 20 + number, np.int32)
    label = np.repeat(np.int32([0, 3]), 4)
    items.append(packing.Item(number, tokens, np.zeros(8, np.int32), label))
  shape = packing.Shape(32, 0, 8)
  packed = packing.pack(packing.sizes(items), np.arange(8), shape)
  rows = packing.lay(items, packed, shape, toy.SPECIALS.pad)
  objective = MultipleChoice(choices=3)
  spec = Spec("encoder", 32, 97, toy.SPECIALS)
  problem = objective.make(jax.random.key(0), rows, spec)
  assert problem.weights["nll"].sum() == 8
  assert (problem.targets_BxP[problem.targets_BxP >= 0] == 1).all()
