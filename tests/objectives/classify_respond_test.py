"""Classes of texts, and answers to texts, against NumPy in float64."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
import supervised
from scipy.special import log_softmax

from lm_jax import layout
from lm_jax.types import ANSWER

ARCHITECTURES = {
  "classify": ("encoder", "causal_decoder", "prefix_decoder"),
  "respond": ("causal_decoder", "prefix_decoder", "encoder_decoder"),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES["classify"])
def test_each_example_is_told_by_its_own_token(architecture):
  """The head's formula by hand, on the first token or on the last one."""
  plan, params, rows = supervised.case("classify", architecture)

  def states(net, rows):
    mask = "causal" if architecture == "causal_decoder" else "full"
    stream = layout.stream(rows.tokens_BxL, rows.segment_BxL, mask)
    return net.hidden(stream)

  hidden_BxLxD = np.float64(supervised.run(plan, params, states, rows))
  head = params["heads_classification"]
  problem, terms = supervised.loss_of(plan, params, rows)
  seen = 0
  for b, segment_L in enumerate(rows.segment_BxL):
    for segment in range(1, segment_L.max() + 1):
      at = np.flatnonzero(segment_L == segment)
      place = at[0] if architecture == "encoder" else at[-1]
      x_D = hidden_BxLxD[b, place]
      if architecture == "encoder":
        dense = head["dense"]
        x_D = np.tanh(x_D @ np.float64(dense["kernel"]) + dense["bias"])
      logits_C = x_D @ np.float64(head["out"]["kernel"])
      logits_C = logits_C + head["out"].get("bias", 0)
      want = -log_softmax(np.float64(logits_C))[rows.label[b, place]]
      assert problem.weights["nll"][b, segment - 1] == 1
      got = terms["nll"].losses[b, segment - 1]
      np.testing.assert_allclose(got, want, 2e-5)
      seen += 1
    assert not problem.weights["nll"][b, segment_L.max() :].any()
  assert seen > 8


@pytest.mark.parametrize("architecture", ARCHITECTURES["classify"])
def test_outputs_are_what_the_loss_is_of(architecture):
  plan, params, rows = supervised.case("classify", architecture)
  logits_BxSxC = supervised.outputs_of(plan, params, rows)
  problem, terms = supervised.loss_of(plan, params, rows)
  label_BxS = problem.targets_BxP
  weight_BxS = problem.weights["nll"]
  logp_BxSxC = log_softmax(np.float64(logits_BxSxC), axis=-1)
  want_BxS = -np.take_along_axis(
    logp_BxSxC, np.maximum(label_BxS, 0)[..., None], -1
  )[..., 0]
  np.testing.assert_allclose(
    terms["nll"].losses * weight_BxS, want_BxS * weight_BxS, 2e-5, 1e-6
  )


@pytest.mark.parametrize("architecture", ARCHITECTURES["classify"])
def test_a_number_is_told_by_the_same_token(architecture):
  """Squared differences by hand, of outputs at the token of each example."""
  plan, params, rows = supervised.case("regress", architecture)
  told_BxSx1 = np.float64(supervised.outputs_of(plan, params, rows))
  problem, terms = supervised.loss_of(plan, params, rows)
  seen = set()
  for b, segment_L in enumerate(rows.segment_BxL):
    for segment in range(1, segment_L.max() + 1):
      at = np.flatnonzero(segment_L == segment)[0]
      score = rows.label[b, at : at + 1].view(np.float32)[0]
      assert problem.weights["squared"][b, segment - 1] == 1
      want = (told_BxSx1[b, segment - 1, 0] - score) ** 2
      np.testing.assert_allclose(
        terms["squared"].losses[b, segment - 1], want, 2e-5
      )
      seen.add(float(score))
    assert not problem.weights["squared"][b, segment_L.max() :].any()
  assert min(seen) == -1 and max(seen) == 2


@pytest.mark.parametrize("architecture", ARCHITECTURES["respond"])
def test_an_answer_is_told_by_its_context_and_what_came_before(architecture):
  """log p(answer), token by token, from passes that stop before the token."""
  plan, params, rows = supervised.case("respond", architecture)
  _, terms = supervised.loss_of(plan, params, rows)
  split = plan.spec.length - plan.objective.answer_length
  b, segment = 1, 2
  context = rows.tokens_BxL[b, :split][rows.segment_BxL[b, :split] == segment]
  answer = rows.tokens_BxL[b, split:][rows.segment_BxL[b, split:] == segment]
  assert len(answer) > 2

  def logits(net, inputs, source):
    return net.head("vocabulary", net.hidden(inputs, source))

  want = []
  for count, token in enumerate(answer):
    read = [plan.spec.specials.start, *answer[:count]]
    source = None
    if architecture == "encoder_decoder":
      source = _stream(context, "full")
      inputs = _stream(read, "causal")
    else:
      inputs = _stream([*context, *read], "causal")
      if architecture == "prefix_decoder":
        rank_T = np.maximum(np.arange(len(context) + len(read)) + 1, 0)
        rank_T = np.where(
          np.arange(len(rank_T)) < len(context), 0, rank_T - len(context)
        )
        inputs = dataclasses.replace(
          inputs,
          query_rank_BxT=jnp.int32(rank_T[None]),
          key_rank_BxT=jnp.int32(rank_T[None]),
          mask="ranked",
        )
    found = supervised.run(plan, params, logits, inputs, source)
    want.append(-log_softmax(np.float64(found[0, -1]))[token])
  slots = np.flatnonzero(rows.segment_BxL[b, split:] == segment)
  np.testing.assert_allclose(terms["nll"].losses[b, slots], want, 2e-5)


def _stream(tokens, mask):
  tokens = jnp.int32(np.array(tokens)[None])
  return layout.stream(tokens, jnp.ones_like(tokens), mask)


@pytest.mark.parametrize("architecture", ARCHITECTURES["respond"])
def test_the_answer_alone_bears_loss(architecture):
  plan, params, rows = supervised.case("respond", architecture)
  problem, _ = supervised.loss_of(plan, params, rows)
  split = plan.spec.length - plan.objective.answer_length
  want = (rows.part_BxL == ANSWER)[:, split:]
  np.testing.assert_array_equal(problem.weights["nll"] > 0, want)
