"""Tiny rows and networks on which objectives are tested."""

from __future__ import annotations

import dataclasses
import functools

import flax.linen as nn
import jax
import numpy as np
import pytest

from lm_jax.models.network import Network
from lm_jax.training import plan
from lm_jax.types import ABSENT, ANSWER, PADDING, Rows, Spec, Specials, Trunk


@dataclasses.dataclass(frozen=True)
class Tiny:
  """What the tests of all objectives share.

  length, vocabulary: of rows and of the network.
  specials: the special tokens.
  """

  length: int = 40
  vocabulary: int = 400
  specials: Specials = dataclasses.field(default_factory=Specials)

  @functools.cached_property
  def text_ids(self):
    """Those that no special token has, ascending."""
    every = np.arange(self.vocabulary)
    return np.setdiff1d(every, self.specials.ids)

  @functools.cached_property
  def sentinels(self):
    """By id, the number of each."""
    first, step = self.specials.first_sentinel, self.specials.sentinel_step
    return {first + step * i: i for i in range(self.specials.sentinels)}

  def is_text(self, tokens):
    """Neither special nor padding; an unknown token stands for text."""
    is_unknown = tokens == self.specials.unknown
    return np.isin(tokens, self.text_ids) | is_unknown

  def spec(self, architecture, length=None, **kwargs) -> Spec:
    kwargs.setdefault("vocabulary", self.vocabulary)
    kwargs.setdefault("specials", self.specials)
    return Spec(architecture, length or self.length, **kwargs)

  def rows(
    self, pieces, length=None, *, seed=0, distinct=False, end=True
  ) -> Rows:
    """Rows of segments of given sizes, with random words and sentences.

    Args:
      pieces: for each row, the sizes of its segments, with the boundary token.
      length: of the rows.
      seed: of the tokens, the words and the sentences.
      distinct: whether no text token comes twice in the batch.
      end: whether segments end with [EOS].
    """
    rng = np.random.default_rng(seed)
    shape = (len(pieces), length or self.length)
    if distinct:
      ids = self.text_ids[: shape[0] * shape[1]]
      tokens = rng.permutation(ids).reshape(shape)
    else:
      tokens = self.text_ids[rng.integers(0, len(self.text_ids), shape)]
    segment = np.zeros(shape, int)
    word, sentence = np.zeros(shape, int), np.zeros(shape, int)
    for b, sizes in enumerate(pieces):
      start = 0
      for number, size in enumerate(sizes, 1):
        stop = start + size
        segment[b, start:stop] = number
        tokens[b, start] = self.specials.boundary
        if end and size > 1 and self.specials.end != ABSENT:
          tokens[b, stop - 1] = self.specials.end
        start = stop
      special = ~np.isin(tokens[b, :start], self.text_ids)
      begins = special | np.append(False, special[:-1])
      new_word = begins | (rng.random(start) < 0.6)
      word[b, :start] = np.cumsum(new_word) - 1
      # [EOS] belongs to the last sentence.
      edge = np.append(True, np.diff(segment[b, :start]) > 0)
      opens = edge | (~special & (rng.random(start) < 0.2))
      sentence[b, :start] = np.cumsum(opens) - 1
    return self.as_rows(tokens, segment, word, sentence)

  def as_rows(self, tokens, segment, word=None, sentence=None) -> Rows:
    """Rows of pretraining; each token its own word unless `word` tells."""
    tokens = np.where(segment > 0, tokens, self.specials.pad)
    if word is None:
      word = np.where(segment > 0, np.arange(tokens.shape[1]), 0)
    if sentence is None:
      sentence = np.zeros_like(tokens)
    part = np.where(segment > 0, ANSWER, PADDING)
    return Rows(
      *(x.astype(np.int32) for x in (tokens, segment, word, sentence, part))
    )

  def network(self, objective, spec, layers=1, **kwargs) -> Network:
    """A transformer of width 16 with the objective's stacks and heads."""
    trunk = Trunk(
      layers=layers,
      width=16,
      heads=2,
      feedforward=32,
      vocabulary=spec.vocabulary,
      architecture=spec.architecture,
      **kwargs,
    )
    return Network(
      plan.trunks_of(objective, trunk), plan.heads_of(objective, spec)
    )

  def parameters(self, objective, spec, network, seed=0):
    """Random numbers for every parameter, so that none of them is idle.

    Large enough that each token's influence can be seen in float32.
    """

    def loss(net, problem, rng):
      return objective.loss(net, problem, rng)

    def initialize(rows):
      key = jax.random.key(0)
      return nn.init(loss, network)(key, objective.make(key, rows, spec), key)

    rows = plan.abstract_rows(4, spec.length, objective.supervised)
    shapes = nn.meta.unbox(jax.eval_shape(initialize, rows))
    rng = np.random.default_rng(seed)

    def draw(path, leaf):
      is_scale = path[-1].key == "scale"
      noise = rng.normal(0, 0.1 if is_scale else 0.3, leaf.shape)
      return np.float32(noise + is_scale)

    return jax.tree_util.tree_map_with_path(draw, shapes)["params"]

  def make(self, objective, spec, rows, seed=0):
    """A problem, as NumPy arrays."""
    made = _maker(objective, spec)(jax.random.key(seed), rows)
    return jax.device_get(made)

  def by_segment(self, problem):
    """What `layout.pair` laid out: by row {segment: (context, answer)}."""
    out = []
    for b, weight_P in enumerate(problem.weights["nll"]):
      stream = problem.source or problem.inputs
      there = stream.segment_BxT[b] > 0
      slots = np.flatnonzero(weight_P)
      segment_T = problem.inputs.segment_BxT[b]
      if problem.source is None:
        slots = problem.positions_BxP[b][slots]
        there[slots] = False
      answer_T = problem.targets_BxP[b][weight_P > 0]
      out.append(
        {
          int(s): (
            stream.tokens_BxT[b][there & (stream.segment_BxT[b] == s)],
            answer_T[segment_T[slots] == s],
          )
          for s in np.unique(stream.segment_BxT[b][there])
        }
      )
    return out

  def fill(self, context, answer):
    """The text that a context with sentinels and their answer spell."""
    spans = []
    assert not answer.size or answer[-1] == self.specials.end
    for token in answer[:-1].tolist():
      if token in self.sentinels:
        assert self.sentinels[token] == len(spans)  # in order, from 0
        spans.append([])
      else:
        spans[-1].append(token)
    assert all(spans)  # none is empty
    text, used = [], 0
    for token in context.tolist():
      if token in self.sentinels:
        assert self.sentinels[token] == used
        text += spans[used]
        used += 1
      else:
        text.append(token)
    assert used == len(spans)
    return text

  def texts(self, rows):
    """By row {segment: tokens without the boundary token}."""
    return [
      {
        int(s): tokens[segment == s][1:]
        for s in np.unique(segment[segment > 0])
      }
      for tokens, segment in zip(rows.tokens_BxL, rows.segment_BxL, strict=True)
    ]

  def apply(self, network, function):
    """A compiled (params, *args) -> function(network, *args)."""
    bound = nn.apply(function, network)
    return jax.jit(lambda params, *args: bound({"params": params}, *args))

  def score(self, objective, spec, network):
    """A compiled (params, rows) -> scores."""
    return self.apply(
      network, lambda net, rows: objective.score(net, rows, spec)
    )


@functools.cache
def _maker(objective, spec):
  return jax.jit(lambda key, rows: objective.make(key, rows, spec))


@pytest.fixture(scope="session")
def tiny() -> Tiny:
  return Tiny()
