"""What a model reads, made of ids as Transformers users give them."""

import foreign_model
import numpy as np
import pytest

import lm_jax
from lm_jax.inference import inputs
from lm_jax.support.errors import UsageError
from lm_jax.types import Spec, Specials, Trunk

IDS = np.array([[7, 8, 9, 4, 0, 0], [5, 6, 4, 0, 0, 0], [7, 7, 7, 7, 7, 4]])
MASK = (IDS > 0).astype(int)
SPECIALS = Specials(boundary=2, end=4, start=3, before=(2,))
PAIRED = Spec("encoder_decoder", 16, 10, SPECIALS)
TRUNK = Trunk(architecture="encoder_decoder", vocabulary=10)


def left(array, mask=MASK):
  """With the padding in front."""
  order = np.argsort(mask, axis=1, kind="stable")
  return np.take_along_axis(array, order, 1)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  found = {}
  for name in foreign_model.CONFIGS:
    directory = tmp_path_factory.mktemp(name)
    foreign_model.build(directory, name)
    found[name] = lm_jax.load(directory)
  return found


@pytest.mark.parametrize("name", ["gpt2", "bert", "xlnet"])
def test_padding_may_stand_on_either_side(models, name):
  lm = models[name]
  right = lm.logits(IDS, MASK)
  moved = lm.logits(left(IDS), left(MASK))
  gap = np.abs(right[MASK > 0] - moved[left(MASK) > 0])
  assert gap.max() < 1e-5
  for row, mask, logits in zip(IDS, MASK, right, strict=True):
    alone = lm.logits(row[None, mask > 0])[0]
    assert np.abs(alone - logits[mask > 0]).max() < 1e-5


def test_positions_are_as_they_are_told(models):
  lm = models["gpt2"]
  places = np.broadcast_to(np.arange(6), IDS.shape)
  np.testing.assert_array_equal(
    lm.logits(IDS, position_ids=places), lm.logits(IDS)
  )
  ids, mask = left(IDS), left(MASK)
  behind = np.maximum(mask.cumsum(axis=1) - 1, 0)
  plain = lm.logits(ids, mask)
  told = lm.logits(ids, mask, position_ids=behind)
  np.testing.assert_array_equal(told[mask > 0], plain[mask > 0])
  # Transformers counts padding, too, where it is not told.
  counted = lm.logits(ids, mask, position_ids=places)
  assert np.abs(counted - plain)[0, -1].max() > 1e-3
  np.testing.assert_array_equal(counted[2], plain[2])  # without padding


def test_positions_of_roberta_begin_behind_its_padding(tmp_path):
  """As Transformers tells them: the padding's id + 1 is the first."""
  foreign_model.build(
    tmp_path,
    "bert",
    model_type="roberta",
    architectures=["RobertaForMaskedLM"],
    max_position_embeddings=20,
    pad_token_id=1,
  )
  lm = lm_jax.load(tmp_path)
  plain = lm.logits(IDS)
  told = lm.logits(IDS, position_ids=np.broadcast_to(np.arange(2, 8), (3, 6)))
  np.testing.assert_array_equal(told, plain)
  last = lm.logits(IDS, position_ids=np.broadcast_to(np.arange(14, 20), (3, 6)))
  assert np.isfinite(last).all() and np.abs(last - plain).max() > 1e-3
  with pytest.raises(UsageError, match="position_ids: .* between 0 and 19"):
    lm.logits(IDS, position_ids=np.full((3, 6), 20))


def test_a_mask_may_be_of_any_kind(models):
  lm = models["bert"]
  plain = lm.logits(IDS, MASK)
  for mask in (MASK.astype(bool), MASK.astype(np.float32)):
    np.testing.assert_array_equal(lm.logits(IDS, mask), plain)


def test_what_a_decoder_reads_unless_told():
  """The text behind the start token; mBART's behind its own last one."""

  def read(**kwargs):
    decoder, encoder = inputs.streams(
      TRUNK, PAIRED, IDS, MASK, shifted=True, **kwargs
    )
    np.testing.assert_array_equal(encoder.tokens_BxT, IDS)
    np.testing.assert_array_equal(encoder.segment_BxT, MASK)
    assert (decoder.mask, encoder.mask) == ("causal", "full")
    return np.asarray(decoder.tokens_BxT)

  np.testing.assert_array_equal(read()[:, 1:], IDS[:, :-1])
  np.testing.assert_array_equal(read()[:, 0], [3, 3, 3])
  np.testing.assert_array_equal(read(starts_with_last=True)[:, 1:], IDS[:, :-1])
  np.testing.assert_array_equal(read(starts_with_last=True)[:, 0], [4, 4, 4])
  told = IDS[:, :2]
  np.testing.assert_array_equal(read(decoder_input_ids=told), told)


def test_what_wraps_is_the_last_that_is_no_padding():
  ids = left(IDS)
  ids[1, -1] = 6
  decoder, _ = inputs.streams(
    TRUNK, PAIRED, ids, left(MASK), shifted=True, starts_with_last=True
  )
  np.testing.assert_array_equal(decoder.tokens_BxT[:, 0], [4, 6, 4])


@pytest.mark.parametrize(
  ("name", "given", "message"),
  [
    ("gpt2", {"position_ids": IDS[:1]}, r"position_ids: has the shape \(1, 6"),
    ("gpt2", {"position_ids": IDS + 30}, "position_ids: must lie between 0 a"),
    ("gpt2", {"position_ids": IDS * 1.0}, "position_ids: must be integers"),
    ("gpt2", {"token_type_ids": IDS[:, :2]}, r"token_type_ids: .* \(3, 2\)"),
    ("gpt2", {"token_type_ids": IDS + 60}, "token_type_ids: .* 0 and 67"),
    ("gpt2", {"attention_mask": IDS}, "attention_mask: must lie between 0 and"),
    ("gpt2", {"attention_mask": MASK[:2]}, r"attention_mask: .* \(2, 6\)"),
    ("gpt2", {"attention_mask": MASK[:, ::-1] - MASK}, "attention_mask: must"),
    ("gpt2", {"decoder_input_ids": IDS}, "decoder_input_ids: not for a model"),
    ("gpt2", {"input_ids": IDS[:, :0]}, r"input_ids: is empty, of .* \(3, 0\)"),
    ("gpt2", {"input_ids": IDS[:0]}, "input_ids: is empty"),
    ("gpt2", {"input_ids": IDS[0]}, r"input_ids: must be integers \[batch"),
    ("gpt2", {"input_ids": IDS - 1}, "between 0 and 67, not between -1 and 8"),
    ("gpt2", {"input_ids": np.ones((1, 33), int)}, "33 tokens is too long"),
    ("bert", {"token_type_ids": IDS}, "token_type_ids: must lie between 0 and"),
    ("xlnet", {"position_ids": IDS}, "position_ids: not for a model whose"),
    ("bart", {}, "decoder_input_ids: needed by a model"),
    ("bart", {"decoder_input_ids": IDS[:2]}, "has 2 rows, and input_ids 3"),
    ("bart", {"decoder_input_ids": IDS + 60}, "decoder_input_ids: must lie"),
    (
      "bart",
      {"decoder_input_ids": IDS, "token_type_ids": IDS},
      "token_type_ids: the model has no token types",
    ),
    (
      "bart",
      {"decoder_input_ids": IDS, "position_ids": IDS},
      "position_ids: not for an encoder_decoder",
    ),
  ],
)
def test_what_cannot_be_read_is_named(models, name, given, message):
  with pytest.raises(UsageError, match=message) as raised:
    models[name].logits(**({"input_ids": IDS} | given))
  assert "\n" not in str(raised.value)
