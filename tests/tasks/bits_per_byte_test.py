"""Bits per byte: the unit, the standard error, and what is counted."""

import json
import math
import types

import numpy as np
import pytest

from lm_jax import specials as specials_lib
from lm_jax.data import rows as rows_lib
from lm_jax.data import vocabulary
from lm_jax.data.options import DataOptions
from lm_jax.tasks import bits_per_byte
from lm_jax.types import PADDING, Likelihood, Rows, Specials

SPECIALS = Specials(sentinels=3)
TEXTS = (
  "We the people 🙂🙂👩‍👩‍👧 of états-unis, in order to form. " * 3,
  "今天天气很好。我们去公园玩吧！" * 6,
  "  a\u00a0b\tc\r\n\n\n  d  ",
  "مرحبا بالعالم. e\u0301ﬁne ½ ＡＢＣ. " * 3,
  "🙂" * 30,
)


class Uniform:
  """Gives every token of the vocabulary the same probability."""

  likelihood = Likelihood("exact", "chain rule")

  def __init__(self, vocabulary_size):
    self.vocabulary_size = vocabulary_size

  def log_likelihood(self, rows, draw):
    is_text = specials_lib.is_text(rows.tokens_BxL, SPECIALS)
    is_text &= rows.part_BxL != PADDING
    return is_text * -math.log(self.vocabulary_size)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("texts")
  # A sign of its own in each, so that some are unknown to a tokenizer.
  lines = [
    json.dumps({"text": f"{chr(0x4E00 + i)} {text}"})
    for i, text in enumerate(TEXTS * 40)
  ]
  (folder / "texts.jsonl").write_text("\n".join(lines) + "\n")
  return folder


PACKINGS = [
  {"packing": "packed"},
  {"packing": "document"},
  {"packing": "document", "sentences": "whole"},
]


def _dataset(folder, kind, packing, **options):
  options = DataOptions(
    corpus=str(folder / "texts.jsonl"),
    tokenizer=kind,
    vocabulary_size=400,
    cache=str(folder / "cache"),
    sentinels=3,
    **packing,
    **options,
  )
  return rows_lib.load(options, 16)  # rows end inside of characters


@pytest.mark.parametrize("kind", vocabulary.KINDS)
def test_a_uniform_model_pays_log2_v_for_each_token(folder, kind):
  values = []
  for packing in PACKINGS:
    dataset = _dataset(folder, kind, packing)
    texts = [d.text for d in dataset.corpus.documents("validation")]
    size = sum(len(text.encode()) for text in texts)
    tokens = sum(len(dataset.tokenizer.encode(text)) for text in texts)
    assert dataset.bytes("validation").sum() == size > 500
    scorer = Uniform(dataset.vocabulary_size)
    # Of all rows: the task itself measures the first ones.
    batches = dataset.fixed("validation", 16)
    bits = bits_per_byte.measured(scorer, batches, dataset.bytes("validation"))
    want = tokens * math.log2(dataset.vocabulary_size) / size
    assert bits.value == pytest.approx(want, abs=1e-9)
    assert bits.error == 0
    values.append(bits.value)
  # Specials are neither paid for nor counted, however rows are cut.
  assert np.ptp(values) < 1e-9


def test_rows_of_bytes_cut_inside_a_character_have_their_own_bytes(folder):
  dataset = _dataset(folder, "bytes", PACKINGS[0])
  (batch,) = dataset.fixed("validation", dataset.rows("validation"))
  is_text = specials_lib.is_text(batch.tokens_BxL, SPECIALS)
  np.testing.assert_array_equal(dataset.bytes("validation"), is_text.sum(1))
  alone = [dataset.tokenizer.decode(row) for row in batch.tokens_BxL]
  assert any("\ufffd" in text for text in alone)  # some are cut


def test_unknown_tokens_are_charged_for(folder):
  """By hand, over all documents: the rows are all of them."""
  dataset = _dataset(folder, "wordpiece", PACKINGS[0], tokenizer_version="1")
  scorer = Uniform(dataset.vocabulary_size)
  measure = bits_per_byte.BitsPerByte().measure(scorer, dataset)
  rows = dataset.rows("validation")
  assert rows <= bits_per_byte.ROWS
  batches = dataset.fixed("validation", rows)
  tokens = batches[0].tokens_BxL
  tokens = tokens[specials_lib.is_text(tokens, SPECIALS)]
  share = (tokens == SPECIALS.unknown).mean()
  counts = dataset.bytes("validation")
  bits = bits_per_byte.measured(scorer, batches, counts).value
  texts = [d.text for d in dataset.corpus.documents("validation")]
  charge = 0.0
  for encoded in dataset.tokenizer.encode_batch(texts):
    sizes = encoded.bytes[encoded.ids == SPECIALS.unknown]
    charge += math.log2(257) * (sizes + 1).sum() / counts.sum()
  facts = measure.likelihood
  assert facts["unknown"] == pytest.approx(share) and share > 0
  assert facts["unknown_bits"] == pytest.approx(charge)
  assert measure.metrics == {"bits_per_byte": pytest.approx(bits + charge)}
  assert facts["kind"] == "bound" and "spelt" in measure.scoring


@pytest.mark.parametrize("kind", ["bpe", "unigram", "characters", "bytes"])
def test_where_nothing_is_unknown_it_is_exact(folder, kind):
  dataset = _dataset(folder, kind, PACKINGS[0])
  scorer = Uniform(dataset.vocabulary_size)
  measure = bits_per_byte.BitsPerByte().measure(scorer, dataset)
  assert measure.likelihood["kind"] == "exact"
  assert measure.likelihood["unknown"] == 0
  assert "unknown_bits" not in measure.likelihood


def _rows(count, length=6):
  segment = np.tile([1, 1, 1, 2, 2, 0], (count, 1)).astype(np.int32)
  zero = np.zeros((count, length), np.int32)
  tokens = 70 + np.arange(count * length).reshape(count, length)
  tokens = tokens.astype(np.int32)
  return Rows(tokens, segment, zero, zero, zero)


class Noisy:
  """A bound whose draws scatter, by each row's own measure."""

  likelihood = Likelihood("bound", "noise", 2)

  def __init__(self, seed):
    self.rng = np.random.default_rng(seed)

  def log_likelihood(self, rows, draw):
    count, length = rows.tokens_BxL.shape
    truth = -1.0 - rows.tokens_BxL[:, :1] % 7
    noise = truth * self.rng.normal(1, 1, (count, 1))
    return np.pad(noise, ((0, 0), (0, length - 1)))


def test_the_standard_error_covers_95_percent():
  batches = [_rows(64), _rows(64)]
  counts = np.full(128, 10)
  truth = sum((1 + x.tokens_BxL[:, 0] % 7).sum() for x in batches)
  truth = truth / math.log(2) / counts.sum()
  covered = []
  for seed in range(500):
    bits = bits_per_byte.measured(Noisy(seed), batches, counts)
    covered.append(abs(bits.value - truth) < 1.96 * bits.error)
  # 0.95, with a standard error of 0.01.
  assert 0.92 < np.mean(covered) < 0.98


def test_lengths_are_a_uniform_code_of_each_piece():
  bits = bits_per_byte.measured(Noisy(0), [_rows(3)], [10, 20, 30])
  # Two pieces a row: one of 6 lengths, and whether a document ends.
  assert bits.lengths == pytest.approx(6 * math.log2(12) / 60)


def test_a_bound_has_a_metric_of_its_own():
  dataset = types.SimpleNamespace(
    fixed=lambda split, size, limit_rows: [_rows(4)],
    bytes=lambda split: np.full(4, 10),
    specials=SPECIALS,
  )
  scorer = Noisy(0)
  measure = bits_per_byte.BitsPerByte().measure(scorer, dataset)
  assert list(measure.metrics) == ["bits_per_byte_bound"]
  facts = measure.likelihood
  assert (facts["kind"], facts["estimator"]) == ("bound", "noise")
  assert facts["standard_error"] > 0 and facts["lengths"] > 0
  scorer.likelihood = None
  measure = bits_per_byte.BitsPerByte().measure(scorer, dataset)
  assert measure.metrics == measure.likelihood == {}
