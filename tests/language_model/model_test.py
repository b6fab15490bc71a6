import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lm_jax
from lm_jax.api import model as model_lib
from lm_jax.data import rows as rows_lib
from lm_jax.inference import inputs, load
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble
from lm_jax.types import Specials

TEXTS = ["We act.", "The new law is so.", "a"]


@pytest.fixture(scope="module")
def lm(finished):
  return lm_jax.load(finished.workdir)


@pytest.fixture(scope="module")
def make(tiny):
  """A function from options to a model that is not trained."""

  def make(**changes):
    config = tiny.config(**changes)
    dataset = rows_lib.load(config.data, config.length)
    program = assemble.make_program(config, dataset)
    params = program.initial(np.uint32(0)).params
    return lm_jax.LanguageModel(
      load.from_plan(config, dataset.tokenizer, program.plan, params)
    )

  return make


def ids_of(lm, texts, left=0):
  """The texts behind boundary tokens, padded: ids and mask [B, T]."""
  boundary = Specials().boundary
  rows = [[boundary, *lm.tokenizer.encode(text)] for text in texts]
  width = max(map(len, rows)) + left
  ids = np.zeros((len(rows), width), int)
  mask = np.zeros_like(ids)
  for i, row in enumerate(rows):
    start = width - len(row) if left else 0
    ids[i, start : start + len(row)] = row
    mask[i, start : start + len(row)] = 1
  return ids, mask


def test_logits_give_the_scores(lm):
  ids, mask = ids_of(lm, TEXTS)
  logits = lm.logits(ids, attention_mask=mask)
  assert logits.dtype == np.float32
  assert logits.shape == (*ids.shape, lm.tokenizer.vocabulary_size)
  logits = logits.astype(np.float64)
  logp = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
  scores = lm.score(TEXTS)
  assert lm.scoring == "log_likelihood"
  for i, per_token in enumerate(lm.score(TEXTS, per_token=True)):
    count = len(lm.tokenizer.encode(TEXTS[i]))
    index = np.arange(count)
    expected = logp[i, index, ids[i, 1 : count + 1]]
    np.testing.assert_allclose(per_token, expected, rtol=1e-4)
    assert scores[i] == pytest.approx(expected.sum(), rel=1e-5)


def test_padding_on_either_side_changes_nothing(lm):
  ids, mask = ids_of(lm, TEXTS)
  left_ids, left_mask = ids_of(lm, TEXTS, left=3)
  for function in (lm.logits, lm.hidden):
    right = function(ids, attention_mask=mask)[mask > 0]
    left = function(left_ids, attention_mask=left_mask)[left_mask > 0]
    np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)
    alone = function(ids[:1, : mask[0].sum()])[0]
    np.testing.assert_allclose(alone, right[: len(alone)], rtol=1e-4, atol=1e-5)


def test_states_and_their_mean(lm):
  ids, mask = ids_of(lm, TEXTS)
  states = lm.hidden(ids, mask)
  assert states.dtype == np.float32
  embedded = lm.embed(TEXTS)
  for i, state in enumerate(lm.hidden(TEXTS)):
    np.testing.assert_allclose(
      state, states[i, : mask[i].sum()], rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(embedded[i], state.mean(0), rtol=1e-4, atol=1e-5)


def test_a_text_alone_is_a_list_of_one(lm, make):
  text = TEXTS[0]
  np.testing.assert_array_equal(lm.score(text), lm.score([text]))
  np.testing.assert_array_equal(lm.embed(text), lm.embed([text]))
  one, listed = (lm.score(x, per_token=True) for x in (text, [text]))
  np.testing.assert_array_equal(one, listed)
  np.testing.assert_array_equal(lm.hidden(text), lm.hidden([text]))
  options = {"max_new_tokens": 2}
  assert lm.generate(text, **options) == lm.generate([text], **options)
  one, listed = map(lm.tokenizer.encode_batch, (text, [text]))
  np.testing.assert_array_equal(one[0].ids, listed[0].ids)
  # A column of a table, too.
  np.testing.assert_array_equal(lm.score(np.array(TEXTS)), lm.score(TEXTS))


def test_a_model_tells_what_it_is(lm, finished):
  result = json.loads(Path(finished.workdir, "result.json").read_text())
  assert lm.num_parameters() == result["parameters"]
  assert len(lm.tokenizer) == lm.tokenizer.vocabulary_size
  assert repr(lm) == (
    f"LanguageModel(clm, causal_decoder of 1 x 32, {result['parameters']:,}"
    f" parameters, vocabulary {len(lm.tokenizer)}, length 32,"
    f" {finished.workdir!r})"
  )
  assert repr(lm.tokenizer).startswith(f"Tokenizer({len(lm.tokenizer)} tokens")


@pytest.mark.parametrize(
  ("objective", "architecture"),
  [("clm", ""), ("rtd", ""), ("span_corruption", "encoder_decoder")],
)
def test_the_pure_forward_is_jitted(objective, architecture, make):
  lm = make(objective=objective, architecture=architecture)
  ids, mask = ids_of(lm, TEXTS, left=1)
  more = {"decoder_input_ids": ids[:, :2]} if architecture else {}
  jitted = jax.jit(lm.apply)(lm.params, ids, mask, **more)
  expected = lm.logits(ids, mask, **more)
  np.testing.assert_allclose(jitted, expected, rtol=1e-5, atol=1e-5)


def test_the_pure_forward_is_differentiated(lm):
  ids, mask = ids_of(lm, TEXTS[:1])

  @jax.jit
  def loss(params):
    return jnp.mean(jnp.tanh(lm.apply(params, ids, mask)))

  @jax.jit
  def moved(params, gradient, by):
    return jax.tree.map(lambda p, g: p + by * g, params, gradient)

  # Along the gradient itself, so that the rounding of float32 is small.
  gradient = jax.jit(jax.grad(loss))(lm.params)
  leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(gradient)]
  norm = np.sqrt(sum((leaf**2).sum() for leaf in leaves))
  step = 1e-2
  up, down = (moved(lm.params, gradient, by / norm) for by in (step, -step))
  slope = (float(loss(up)) - float(loss(down))) / (2 * step)
  assert norm > 1e-3
  assert slope == pytest.approx(norm, rel=2e-2)
  other = lm.with_params(up)
  assert (other.logits(ids, mask) != lm.logits(ids, mask)).any()
  assert other.score(TEXTS)[0] != lm.score(TEXTS)[0]


def test_a_shifted_decoder_is_pure_too(make):
  """The text behind its start token, where nothing else is given."""
  lm = make(objective="span_corruption", architecture="encoder_decoder")
  ids, mask = ids_of(lm, TEXTS)
  trunk, spec = lm._trunk, lm._spec
  for last in (False, True):
    options = {"shifted": True, "starts_with_last": last}
    plain, _ = inputs.streams(trunk, spec, ids, mask, **options)
    run = jax.jit(
      lambda i, m, o=options: inputs.streams(trunk, spec, i, m, **o)
    )
    traced, _ = jax.jit(run)(ids, mask)
    np.testing.assert_array_equal(plain.tokens_BxT, traced.tokens_BxT)
    expected = np.roll(ids, 1, axis=1)
    expected[:, 0] = Specials().start
    if last:
      expected[:, 0] = ids[np.arange(3), mask.sum(1) - 1]
    if last or spec.specials.before[:1] != (spec.specials.start,):
      np.testing.assert_array_equal(plain.tokens_BxT, expected)


def test_evaluate_gives_the_runs_own_yardsticks(finished):
  directory = Path(finished.workdir)

  def stamps():
    return {p: p.stat().st_mtime_ns for p in directory.rglob("*")}

  before = stamps()
  result = json.loads((directory / "result.json").read_text())
  del result["metrics"]["validation_loss"]  # of the objective, no yardstick
  assert model_lib.evaluate(directory) == result["metrics"]
  assert stamps() == before


def test_an_encoder_sees_both_ways_and_a_decoder_does_not(lm, make):
  encoder = make(objective="mlm")
  for model, changed in ((encoder, True), (lm, False)):
    ids, _ = ids_of(model, TEXTS[:1])
    other = ids.copy()
    other[0, -1] += 1
    same = np.allclose(
      model.logits(ids)[0, :-1], model.logits(other)[0, :-1], atol=1e-6
    )
    assert same != changed


def test_an_encoder_decoder_reads_two_texts(make):
  model = make(objective="span_corruption", architecture="encoder_decoder")
  ids, mask = ids_of(model, TEXTS)
  start = np.full((3, 2), Specials().boundary)
  logits = model.logits(ids, mask, decoder_input_ids=start)
  assert logits.shape == (3, 2, model.tokenizer.vocabulary_size)
  later = start.copy()
  later[:, 1] = 20
  again = model.logits(ids, mask, decoder_input_ids=later)
  np.testing.assert_allclose(again[:, 0], logits[:, 0], atol=1e-6)
  assert np.abs(again[:, 1] - logits[:, 1]).max() > 1e-4
  ids[:, 1] += 1
  assert (model.logits(ids, mask, decoder_input_ids=start) != logits).any()
  with pytest.raises(UsageError, match="decoder_input_ids: needed"):
    model.logits(ids, mask)


def test_token_types(make):
  trunk = {"layers": 1, "width": 32, "heads": 2, "feedforward": 64}
  model = make(objective="mlm", trunk=trunk | {"token_types": 2})
  ids, _ = ids_of(model, TEXTS[:1])
  zeros = np.zeros_like(ids)
  plain = model.logits(ids)
  np.testing.assert_array_equal(model.logits(ids, None, zeros), plain)
  assert (model.logits(ids, token_type_ids=zeros + 1) != plain).any()
  with pytest.raises(UsageError, match="token_type_ids: must lie between 0"):
    model.logits(ids, token_type_ids=zeros + 2)


def test_logits_of_a_discriminator_give_its_energies(make):
  lm = make(objective="rtd")
  ids, mask = ids_of(lm, TEXTS)
  logits = lm.logits(ids, mask)
  assert logits.shape == ids.shape
  for row, text_mask, scores in zip(
    logits.astype(np.float64),
    mask,
    lm.score(TEXTS, per_token=True),
    strict=True,
  ):
    tokens = row[text_mask > 0][1:]  # without the boundary
    np.testing.assert_allclose(-np.logaddexp(0, tokens), scores, rtol=1e-5)


def test_what_is_not_possible_is_said_in_a_line(lm, tmp_path):
  ids, mask = ids_of(lm, TEXTS)
  hole = mask.copy()
  hole[1, 2] = 0
  vocabulary = lm.tokenizer.vocabulary_size
  (tmp_path / "config.json").write_text('{"model_type": "bert"}')
  for call, message in [
    (lambda: lm.logits(ids, decoder_input_ids=ids), "decoder_input_ids: not"),
    (lambda: lm.logits(ids, token_type_ids=ids), "has no token types"),
    (lambda: lm.logits(ids[0]), r"integers \[batch, length\]"),
    (lambda: lm.logits(ids * 1.0), "not float64"),
    (lambda: lm.logits(ids + vocabulary), f"between 0 and {vocabulary - 1}"),
    (lambda: lm.logits(ids, mask[:1]), "attention_mask: has the shape"),
    (lambda: lm.hidden(ids, hole), "padding inside a text"),
    (lambda: lm.score(["We act.", 3]), r"texts\[1\]=3: must be a text"),
    (lambda: lm.embed(7), "texts=7: must be a text or a list of them"),
    (lambda: lm.tokenizer.encode(["We"]), r"text=\['We'\]: must be one text"),
    (lambda: lm.with_params({"a": ids}), "params: a must be left out"),
    (lambda: lm.score(["x" * 32]), "a text of 33 tokens"),
    (lambda: lm.logits(ids, output="pair"), "output=pair: valid are vocab"),
    (lambda: lm.mems(ids), "only an XLNet has a memory"),
    (lambda: lm_jax.load(tmp_path), "path=.*model.safetensors"),
    (lambda: lm_jax.load(tmp_path / "x"), "path=.*not a run directory"),
    (lambda: model_lib.evaluate(tmp_path), "--model=.*model.safetensors"),
  ]:
    with pytest.raises(UsageError, match=message) as raised:
      call()
    assert "\n" not in str(raised.value)


def test_a_model_without_a_tokenizer_goes_on_with_ids(make):
  """And says so where it is given texts."""
  lm = make()
  bare = lm_jax.LanguageModel(dataclasses.replace(lm.trained, tokenizer=None))
  ids = np.array([[9, 8, 7]])
  wanted = lm.generate(ids, max_new_tokens=4)
  np.testing.assert_array_equal(bare.generate(ids, max_new_tokens=4), wanted)
  for call in (bare.score, bare.embed, bare.hidden, bare.generate):
    with pytest.raises(UsageError, match="has no tokenizer files beside it"):
      call(["a text"])
