"""Scores: against loops in plain Python, and that they are probabilities."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import numpy as np
import pytest
import scipy.special

from lm_jax.objectives.clm import CausalLM
from lm_jax.objectives.denoising import Denoising
from lm_jax.objectives.hybrid import Hybrid
from lm_jax.objectives.mlm import MaskedLM
from lm_jax.objectives.prefix_lm import PrefixLM
from lm_jax.objectives.span_corruption import SpanCorruption
from lm_jax.objectives.ul2 import MixtureOfDenoisers
from lm_jax.types import Specials, Stream

SIZE = 10  # tokens of the text, with the boundary token


def stream(tokens, rank=None, mask="full", position=None):
  """Texts [N, T] of one segment each; ranks and positions [T]."""
  tokens = np.array(tokens, np.int32)
  zero = np.zeros_like(tokens)
  rank = zero if rank is None else zero + np.array(rank, np.int32)
  index = np.arange(tokens.shape[1]) if position is None else position
  place = (zero + index).astype(np.int32)
  return Stream(tokens, place, zero + 1, rank, rank, zero, mask)


class Lab:
  """A network and one text: its tokens and words."""

  def __init__(self, tiny, objective, architecture):
    self.tiny, self.objective = tiny, objective
    self.spec = tiny.spec(architecture, SIZE)
    self.network = tiny.network(objective, self.spec)
    self.params = tiny.parameters(objective, self.spec, self.network)
    self.rows = tiny.rows([[SIZE]], SIZE, end=False, seed=2)
    self.text = self.rows.tokens_BxL[0].tolist()
    self.word = self.rows.word_BxL[0].tolist()

  def score(self):
    score = self.tiny.score(self.objective, self.spec, self.network)
    return np.asarray(score(self.params, self.rows))[0]

  def log_p(self, inputs, source=None):
    """Of every token at every position: [N, T, V]."""
    logits = self.tiny.apply(
      self.network,
      lambda net, inputs, source: net.head(
        "vocabulary", net.hidden(inputs, source)
      ),
    )
    logits = np.float64(logits(self.params, inputs, source))
    return scipy.special.log_softmax(logits, axis=-1)


@pytest.mark.parametrize("variant", ["original", "within_word"])
@pytest.mark.parametrize(
  ("cls", "options", "architecture", "back"),
  [
    (MaskedLM, {}, "encoder", 0),
    (Hybrid, {}, "prefix_decoder", 1),
    (Hybrid, {"masked": "mlm"}, "prefix_decoder", 0),
  ],
)
def test_pseudo_log_likelihood(tiny, cls, options, architecture, back, variant):
  """Mask one token (and the rest of its word), run, read off log p."""
  objective = cls(pseudo_likelihood=variant, **options)
  lab = Lab(tiny, objective, architecture)
  assert len(set(lab.word)) < SIZE  # some word has several tokens
  texts = []
  for i in range(1, SIZE):
    hidden = list(lab.text)
    for j in range(i, SIZE):
      if j == i or (variant == "within_word" and lab.word[j] == lab.word[i]):
        hidden[j] = tiny.specials.mask
    texts.append(hidden)
  log_p = lab.log_p(stream(texts))
  want = [log_p[i - 1, i - back, lab.text[i]] for i in range(1, SIZE)]
  np.testing.assert_allclose(lab.score(), [0, *want], 0, 1e-5)


@pytest.mark.parametrize("architecture", ["prefix_decoder", "encoder_decoder"])
@pytest.mark.parametrize("cls", [SpanCorruption, Denoising])
def test_infilling(tiny, cls, architecture):
  """The text with a hole for x_i, and the answer up to x_i."""
  lab = Lab(tiny, cls(), architecture)
  specials, text = tiny.specials, lab.text[1:]
  is_spans = cls is SpanCorruption
  hole = specials.first_sentinel if is_spans else specials.mask
  contexts = [[*text[:i], hole, *text[i + 1 :]] for i in range(len(text))]
  # The whole answer, whose later tokens are not seen.
  answer = [hole] if is_spans else text[:-1]
  reads = [[specials.boundary, *answer]] * len(text)
  size = len(reads[0])
  if architecture == "encoder_decoder":
    inputs = stream(reads, np.arange(size), "causal")
    log_p = lab.log_p(inputs, stream(contexts))
  else:
    rank = [0] * len(text) + [*range(1, size + 1)]
    both = np.concatenate([contexts, reads], axis=1)
    log_p = lab.log_p(stream(both, rank, "ranked"))[:, len(text) :]
  want = [log_p[i, 1 if is_spans else i, token] for i, token in enumerate(text)]
  np.testing.assert_allclose(lab.score(), [0, *want], 0, 1e-5)


@pytest.mark.parametrize(
  ("cls", "architecture", "opening"),
  [
    (CausalLM, "causal_decoder", None),
    (PrefixLM, "prefix_decoder", None),
    (PrefixLM, "encoder_decoder", "boundary"),
    (MixtureOfDenoisers, "prefix_decoder", "sequential"),
    (MixtureOfDenoisers, "encoder_decoder", "sequential"),
  ],
)
def test_log_likelihood(tiny, cls, architecture, opening):
  """The chain rule, after nothing or after a context of one token."""
  lab = Lab(tiny, cls(), architecture)
  reads, source = lab.text[:-1], None
  assert reads[0] == tiny.specials.boundary
  context = [getattr(tiny.specials, opening)] if opening else []
  if architecture == "encoder_decoder":
    context, source = [], stream([context])
  both = [*context, *reads]
  inputs = stream([both], np.arange(len(both)), "causal")
  log_p = lab.log_p(inputs, source)[0, len(context) :]
  want = [log_p[i, token] for i, token in enumerate(lab.text[1:])]
  np.testing.assert_allclose(lab.score(), [0, *want], 0, 1e-5)


@pytest.mark.parametrize(
  ("cls", "architecture"),
  [
    (CausalLM, "causal_decoder"),
    (PrefixLM, "prefix_decoder"),
    (PrefixLM, "encoder_decoder"),
    (MixtureOfDenoisers, "causal_decoder"),
    (MixtureOfDenoisers, "prefix_decoder"),
    (MixtureOfDenoisers, "encoder_decoder"),
  ],
)
def test_likelihoods_are_probabilities(tiny, cls, architecture):
  """Those of all texts of two and of three tokens sum to one.

  The network gives special tokens no probability: they have no score.
  """
  small = dataclasses.replace(
    tiny, specials=Specials(sentinels=4), vocabulary=18, length=4
  )
  objective = cls()
  spec = small.spec(architecture, specials=small.specials)
  network = small.network(objective, spec, output_bias=True)
  params = small.parameters(objective, spec, network)
  first = small.text_ids[0]
  params["output_main"]["bias"][:first] = -1e9
  texts = list(itertools.product(range(first, 18), repeat=3))
  tokens = np.array([[2, *text] for text in texts])
  rows = small.as_rows(tokens, np.ones_like(tokens))
  scores = np.asarray(small.score(objective, spec, network)(params, rows))
  assert np.ptp(scores[:, 1]) > 0.1  # some tokens are likelier than others
  scores = np.float64(scores).reshape(5, 5, 5, 4)
  np.testing.assert_allclose(np.exp(scores[..., 3]).sum(axis=2), 1, 1e-5)
  # What comes later does not bear on a token's score.
  np.testing.assert_allclose(np.ptp(scores[..., 2], axis=2), 0, 0, 1e-5)
  assert np.exp(scores.sum(axis=-1)).sum() == pytest.approx(1, abs=1e-5)


def without_boundary(lab):
  """The same text, told from its first token on."""
  bare = Lab(lab.tiny, lab.objective, lab.spec.architecture)
  bare.params, bare.network = lab.params, lab.network
  bare.rows = jax.tree.map(lambda x: x[:, 1:], lab.rows)
  return bare


@pytest.mark.parametrize(
  ("cls", "architecture"),
  [
    (SpanCorruption, "prefix_decoder"),
    (Denoising, "encoder_decoder"),
    (PrefixLM, "encoder_decoder"),
    (MixtureOfDenoisers, "prefix_decoder"),
  ],
)
def test_scores_do_without_a_boundary_that_they_drop(tiny, cls, architecture):
  lab = Lab(tiny, cls(), architecture)
  bare = without_boundary(lab).score()
  np.testing.assert_allclose(bare, lab.score()[1:], 0, 1e-5)
  assert np.all(bare < 0)


@pytest.mark.parametrize("cls", [MaskedLM, Hybrid, CausalLM])
def test_scores_of_texts_without_a_boundary(tiny, cls):
  """The first token has one where something predicts it."""
  lab = without_boundary(Lab(tiny, cls(), cls.natural))
  text, size = lab.text[1:], SIZE - 1
  if cls is CausalLM:
    log_p = lab.log_p(stream([text], np.arange(size), "causal"))
    want = [log_p[0, i - 1, text[i]] for i in range(1, size)]
  else:
    texts = []
    for i in range(size):
      alike = [j for j in range(i, size) if lab.word[j + 1] == lab.word[i + 1]]
      texts.append(
        [tiny.specials.mask if j in alike else text[j] for j in range(size)]
      )
    log_p, back = lab.log_p(stream(texts)), int(cls is Hybrid)
    want = [log_p[i, i - back, text[i]] for i in range(back, size)]
  want = [0] * (size - len(want)) + want
  np.testing.assert_allclose(lab.score(), want, 0, 1e-5)
