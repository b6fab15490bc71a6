import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import lm_jax
from lm_jax import api, trained
from lm_jax.data import rows as rows_lib
from lm_jax.training import assemble
from lm_jax.types import Specials, UsageError

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
      trained.of_program(config, dataset.tokenizer, program, params)
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


def test_evaluate_gives_the_runs_own_yardsticks(finished):
  directory = Path(finished.workdir)

  def stamps():
    return {p: p.stat().st_mtime_ns for p in directory.rglob("*")}

  before = stamps()
  result = json.loads((directory / "result.json").read_text())
  del result["metrics"]["validation_loss"]  # of the objective, no yardstick
  assert api.evaluate(directory) == result["metrics"]
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
    (lambda: lm.score("We act."), "must be a list of texts"),
    (lambda: lm.score(["x" * 32]), "a text of 33 tokens"),
    (lambda: lm.logits(ids, output="pair"), "output=pair: valid are vocab"),
    (lambda: lm.mems(ids), "only an XLNet has a memory"),
    (lambda: lm_jax.load(tmp_path), "path=.*model.safetensors"),
    (lambda: lm_jax.load(tmp_path / "x"), "path=.*not a run directory"),
    (lambda: api.evaluate(tmp_path), "--model=.*model.safetensors"),
  ]:
    with pytest.raises(UsageError, match=message) as raised:
      call()
    assert "\n" not in str(raised.value)


def test_to_import_lm_jax_is_cheap():
  code = "import sys, lm_jax; print({'jax', 'numpy'} & set(sys.modules))"
  done = subprocess.run(
    [sys.executable, "-c", code],
    cwd=Path(__file__).parent.parent,
    capture_output=True,
    text=True,
    check=True,
  )
  assert done.stdout == "set()\n"
  with pytest.raises(AttributeError, match="no attribute 'nothing'"):
    lm_jax.nothing  # noqa: B018
