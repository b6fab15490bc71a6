import copy
import dataclasses
import random

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.inference import load, score
from lm_jax.inference.score import Scorer
from lm_jax.support.errors import UsageError

LENGTH = 24
# Of 1 to 23 tokens, over three buckets, with two that are equal.
TEXTS = [
  "We act.",
  "The new law is so.",
  "a",
  "We act.",
  "Tax acts are new laws.",
  "is of to in my",
]


@pytest.fixture(scope="module")
def dataset(tiny):
  return rows_lib.load(tiny.data(), LENGTH)


@pytest.fixture(scope="module")
def make(tiny):
  """A function from an objective to its model and random parameters."""

  def make(objective):
    model = tiny.model(objective, length=LENGTH)
    return model, model.params

  return make


def scorer(plan, params, dataset, **changes):
  model = load.from_plan(Config(), dataset.tokenizer, plan, params)
  network = plan.network.clone(
    trunks=tuple(
      (name, dataclasses.replace(trunk, **changes))
      for name, trunk in plan.network.trunks
    )
  )
  return Scorer(dataclasses.replace(model, network=network))


def applied(plan, function):
  network = plan.network.clone(deterministic=True)
  return jax.jit(nn.apply(function, network))


@pytest.mark.parametrize("objective", ["clm", "mlm", "rtd"])
def test_scores_are_the_objectives_own_in_any_company(objective, make, dataset):
  plan, params = make(objective)
  ours = scorer(plan, params, dataset)
  scores = ours.text_scores(TEXTS)
  assert scores.dtype == np.float64
  assert scores[0] == scores[3]
  order = list(range(len(TEXTS)))
  random.Random(0).shuffle(order)
  shuffled = ours.text_scores([TEXTS[i] for i in order])
  np.testing.assert_array_equal(shuffled, scores[order])
  crowd = ours.text_scores([*TEXTS, *["We act so."] * score.BATCH])
  np.testing.assert_array_equal(crowd[: len(TEXTS)], scores)

  # Alone, in a row as long as the model's, by the objective itself.
  own = applied(
    plan, lambda net, rows: plan.objective.score(net, rows, plan.spec)
  )
  for text, found, per_token in zip(
    TEXTS, scores, ours.text_token_scores(TEXTS), strict=True
  ):
    rows, _ = rows_lib.pad_texts(dataset.tokenizer, [text], LENGTH)
    (expected_L,) = own({"params": params}, rows)
    count = len(dataset.tokenizer.encode(text))
    assert per_token.shape == (count,)
    np.testing.assert_allclose(
      per_token, expected_L[1 : count + 1], rtol=1e-4, atol=1e-5
    )
    assert found == pytest.approx(float(expected_L.sum()), rel=1e-5)


def test_scores_are_float32_without_dropout_whatever_was_trained(make, dataset):
  plan, params = make("clm")
  plain = scorer(plan, params, dataset)
  other = scorer(
    plan, params, dataset, dtype="bfloat16", dropout=0.5, attention_dropout=0.5
  )
  np.testing.assert_array_equal(
    other.text_scores(TEXTS), plain.text_scores(TEXTS)
  )


def test_features_are_the_mean_state_of_a_text(make, dataset):
  plan, params = make("clm")
  ours = scorer(plan, params, dataset)
  features = ours.text_features(TEXTS)
  states = applied(
    plan,
    lambda net, rows: net.hidden(plan.objective.read(rows, plan.spec).inputs),
  )
  for text, found, given in zip(
    TEXTS, features, ours.text_states(TEXTS), strict=True
  ):
    rows, _ = rows_lib.pad_texts(dataset.tokenizer, [text], LENGTH)
    state_TxD = states({"params": params}, rows)[0]
    state_TxD = state_TxD[: 1 + len(dataset.tokenizer.encode(text))]
    np.testing.assert_allclose(given, state_TxD, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found, state_TxD.mean(0), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("pool", "at"), [("first", 0), ("last", -1)])
def test_features_may_be_one_state_of_a_text(make, dataset, pool, at):
  plan, params = make("mlm")
  ours = scorer(plan, params, dataset)
  states = [state_TxD[at] for state_TxD in ours.text_states(TEXTS)]
  features = ours.text_features(TEXTS, pool)
  np.testing.assert_allclose(features, states, rtol=1e-4, atol=1e-5)
  # Of less of a text, the last state is that of a shorter one.
  shorter = [
    dataset.tokenizer.decode(dataset.tokenizer.encode(x)[:3]) for x in TEXTS
  ]
  np.testing.assert_allclose(
    ours.text_features(TEXTS, pool, 4),
    ours.text_features(shorter, pool),
    rtol=1e-4,
    atol=1e-5,
  )
  lengths = ours.text_lengths(TEXTS)
  assert lengths.tolist() == [len(x) for x in ours.text_states(TEXTS)]


def test_a_first_state_that_has_seen_nothing(make, dataset):
  plan, params = make("clm")
  with pytest.raises(UsageError, match="pool=first: the first state of a cau"):
    scorer(plan, params, dataset).text_features(TEXTS, "first")


def test_long_texts(make, dataset):
  plan, params = make("clm")
  ours = scorer(plan, params, dataset)
  longest = "x" * (LENGTH - 1)
  assert np.isfinite(ours.text_scores([longest])).all()
  with pytest.raises(UsageError, match=f"a text of {LENGTH + 1} tokens"):
    ours.text_scores(["a", longest + "x"])
  # Features are of the beginning.
  np.testing.assert_array_equal(
    ours.text_features([longest + "yz"]), ours.text_features([longest])
  )


def test_no_texts_and_empty_ones(make, dataset):
  plan, params = make("clm")
  ours = scorer(plan, params, dataset)
  assert ours.text_scores([]).shape == (0,)
  assert ours.text_features([]).shape == (0, 32)
  assert ours.text_scores([""]) == [0.0]
  assert np.isfinite(ours.text_features([""])).all()


def test_compiled_in_true_float32(make):
  plan, _ = make("clm")
  x = jnp.float32([[1.0, 2.0**-12], [0.5, 1.0]])
  run = score.exact(lambda net, y: y @ y, plan.network)
  text = run.lower({}, x).as_text()
  assert "HIGHEST" in text


@pytest.mark.parametrize(
  ("before", "after"), [((), ()), ((), (3,)), ((4, 2), (3, 4))]
)
def test_other_special_tokens_around_a_text(make, dataset, before, after):
  plan, params = make("mlm")
  given = dataclasses.replace(dataset.specials, before=before, after=after)
  spec = dataclasses.replace(plan.spec, specials=given)
  tokenizer = copy.copy(dataset.tokenizer)
  tokenizer.specials = given
  model = load.from_plan(Config(), tokenizer, plan, params)
  ours = Scorer(dataclasses.replace(model, spec=spec))
  texts = ["We act.", "", "a"]
  around = len(before) + len(after)
  own = applied(plan, lambda net, rows: plan.objective.score(net, rows, spec))
  for text, scores, states in zip(
    texts, ours.text_token_scores(texts), ours.text_states(texts), strict=True
  ):
    count = len(tokenizer.encode(text))
    rows, _ = rows_lib.pad_texts(tokenizer, [text], LENGTH)
    assert scores.shape == (count,)
    assert states.shape == (count + around, 32)
    (expected_L,) = own({"params": params}, rows)
    inside = slice(len(before), len(before) + count)
    np.testing.assert_allclose(scores, expected_L[inside], 1e-4, 1e-5)
    assert np.count_nonzero(expected_L) == count
  assert np.isfinite(ours.text_features(texts)).all()
  with pytest.raises(UsageError, match=f"a text of {20 + around + 5} tokens"):
    ours.text_scores(["x" * 25])
