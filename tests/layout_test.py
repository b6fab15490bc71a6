"""Layouts against plain Python: lists of segments, token by token."""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lm_jax import layout
from lm_jax.types import ANSWER, PADDING, Rows, Spec, Specials

BOUNDARY = Specials().boundary
SEEDS = st.integers(0, 2**32 - 1)
DECODERS = ["causal_decoder", "prefix_decoder"]
BATCH, CONTEXT, ANSWERS = 3, 12, 8
MOST, LEAST = (3, 2), (0, 0)  # tokens of a segment's context and answer


def spec_of(architecture):
  return Spec(architecture, CONTEXT + ANSWERS, 500)


@dataclasses.dataclass(frozen=True)
class Text:
  """A row: by segment its context tokens and its answer tokens."""

  context: dict[int, list[int]]
  answer: dict[int, list[int]]


def texts(rng):
  """The first is as long as any; in others parts may be empty."""
  out = []
  for b in range(BATCH):
    ids = iter(rng.permutation(np.arange(109, 500)).tolist())
    context, answer = {}, {}
    for s in range(1, 4):
      sizes = rng.integers(LEAST if b else MOST, MOST, endpoint=True)
      context[s] = [next(ids) for _ in range(sizes[0])]
      answer[s] = [next(ids) for _ in range(sizes[1])]
    out.append(Text(context, answer))
  return out


def part(rng, segments, size, scattered):
  """A Part; its absent tokens at the end or scattered."""
  tokens = np.zeros((BATCH, size), np.int32)
  segment = np.zeros((BATCH, size), np.int32)
  for b, by_segment in enumerate(segments):
    pairs = [(t, s) for s, found in by_segment.items() for t in found]
    where = range(len(pairs))
    if scattered:
      where = np.sort(rng.choice(size, len(pairs), replace=False))
    for i, (t, s) in zip(where, pairs, strict=True):
      tokens[b, i], segment[b, i] = t, s
  return layout.Part(tokens, segment)


def sees(stream, b, i):
  """What token i attends to, by the ranks; the mask must say the same."""
  segment = np.asarray(stream.segment_BxT[b])
  seen = (segment == segment[i]) & (
    stream.key_rank_BxT[b] <= stream.query_rank_BxT[b, i]
  )
  index = np.arange(len(segment))
  if stream.mask == "full":
    np.testing.assert_array_equal(seen, segment == segment[i])
  elif stream.mask == "causal":
    np.testing.assert_array_equal(seen, (segment == segment[i]) & (index <= i))
  return np.flatnonzero(seen).tolist()


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_positions_compact_and_ranks(seed):
  rng = np.random.default_rng(seed)
  run = np.sort(rng.integers(0, 4, (3, 10)), axis=1)
  run[rng.random(run.shape) < 0.2 * (seed % 2)] = 0
  positions = np.asarray(layout.positions(run))
  ranks = np.asarray(layout.rank_in_segment(run))
  starts = np.asarray(layout.starts(run))
  for b, i in np.ndindex(run.shape):
    j = i
    while j > 0 and run[b, j - 1] == run[b, i]:
      j -= 1
    assert positions[b, i] == i - j
    assert starts[b, i] == (i == j)
    before = np.sum(run[b, :i] == run[b, i])
    assert ranks[b, i] == (before if run[b, i] else 0)
  keep = rng.random((3, 10)) < 0.5
  for size in (4, 10, 13):
    index, there = (np.asarray(x) for x in layout.compact(keep, size))
    assert index.shape == there.shape == (3, size)
    for b in range(3):
      want = np.flatnonzero(keep[b])[:size].tolist()
      assert index[b][there[b]].tolist() == want
      assert there[b].tolist() == [k < len(want) for k in range(size)]


@settings(max_examples=10, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("architecture", ["encoder", *DECODERS])
def test_in_place(architecture, seed):
  rng = np.random.default_rng(seed)
  segment = np.array([[1] * 4 + [2] * 5 + [0]], np.int32)
  position = [0, 1, 2, 3, 0, 1, 2, 3, 4, 0]
  prefix = rng.integers(0, 6, 3)[segment]
  tokens = rng.integers(109, 500, segment.shape)
  part = np.where(segment > 0, ANSWER, PADDING)
  rows = Rows(tokens, segment, segment, segment, part)
  given_prefix = prefix if architecture == "prefix_decoder" else None
  stream = layout.in_place(rows, spec_of(architecture), given_prefix)
  np.testing.assert_array_equal(stream.tokens_BxT, tokens)
  assert np.asarray(stream.position_BxT)[0].tolist() == position
  for i in range(9):
    seen = set(sees(stream, 0, i))
    for j in range(9):
      want = segment[0, i] == segment[0, j] and (
        architecture == "encoder"
        or j <= i
        or (given_prefix is not None and position[j] < prefix[0, i])
      )
      assert (j in seen) == want, (i, j)


def check_pair(problem, rows, architecture):
  """Every target is there, and sees its context and the answer before it."""
  inputs, source = problem.inputs, problem.source
  targets, weight = problem.targets_BxP, problem.weights["nll"]
  for b, text in enumerate(rows):
    want = [(t, s) for s, found in text.answer.items() for t in found]
    slots = np.flatnonzero(weight[b])
    assert set(weight[b].tolist()) <= {0.0, 1.0}
    assert targets[b][slots].tolist() == [t for t, _ in want]
    answered = dict.fromkeys(text.answer, 0)
    for slot, (_, s) in zip(slots, want, strict=True):
      k = answered[s]
      answered[s] += 1
      i = slot if source is not None else problem.positions_BxP[b, slot]
      reads = [BOUNDARY, *text.answer[s]][: k + 1]
      assert inputs.tokens_BxT[b, i] == reads[-1]
      before = 0 if source is not None else len(text.context[s])
      assert inputs.position_BxT[b, i] == before + k
      context = [] if source is not None else text.context[s]
      seen = sees(inputs, b, i)
      assert inputs.tokens_BxT[b, seen].tolist() == context + reads
    if source is None:
      continue
    assert not np.any(source.key_rank_BxT) and source.mask == "full"
    for s, found in text.context.items():
      inside = source.segment_BxT[b] == s
      assert source.tokens_BxT[b][inside].tolist() == found
      places = source.position_BxT[b][inside]
      assert places.tolist() == list(range(len(found)))


def check_context(problem, rows, architecture):
  """In a decoder's stream the context comes first; it sees no answer."""
  for b, text in enumerate(rows):
    for s, found in text.context.items():
      for k, token in enumerate(found):
        (i,) = np.flatnonzero(problem.inputs.tokens_BxT[b] == token)
        assert problem.inputs.segment_BxT[b, i] == s
        assert problem.inputs.position_BxT[b, i] == k
        whole = architecture == "prefix_decoder"
        want = found if whole else found[: k + 1]
        seen = sees(problem.inputs, b, i)
        assert problem.inputs.tokens_BxT[b, seen].tolist() == want


@settings(max_examples=15, deadline=None)
@given(SEEDS)
@pytest.mark.parametrize("architecture", [*DECODERS, "encoder_decoder"])
def test_pair(architecture, seed):
  rng = np.random.default_rng(seed)
  rows = texts(rng)
  context = part(rng, [row.context for row in rows], CONTEXT, True)
  answer = part(rng, [row.answer for row in rows], ANSWERS, False)
  # As long as the longest row, and no longer: nothing may be lost.
  for length in (None, 3 * sum(MOST)):
    problem = layout.pair(context, answer, spec_of(architecture), length)
    problem = jax.tree.map(np.asarray, problem)
    check_pair(problem, rows, architecture)
    if architecture != "encoder_decoder":
      width = length or CONTEXT + ANSWERS
      assert problem.inputs.tokens_BxT.shape == (BATCH, width)
      check_context(problem, rows, architecture)


def test_a_pair_that_is_too_long_loses_its_end_and_its_weight():
  rng = np.random.default_rng(0)
  rows = [Text({1: [200, 201, 202]}, {1: [300, 301, 302]})] * BATCH
  context = part(rng, [row.context for row in rows], 3, False)
  answer = part(rng, [row.answer for row in rows], 3, False)
  problem = layout.pair(context, answer, spec_of("causal_decoder"), 5)
  assert np.asarray(problem.inputs.tokens_BxT)[0].tolist() == [
    200, 201, 202, BOUNDARY, 300,
  ]  # fmt: skip
  assert np.asarray(problem.weights["nll"])[0].tolist() == [1, 1, 0]


@pytest.mark.parametrize("architecture", [*DECODERS, "encoder_decoder"])
def test_a_decoder_with_an_encoder_has_a_first_token_of_its_own(architecture):
  specials = Specials(start=7)
  spec = Spec(architecture, 8, 500, specials)
  answer = layout.Part(
    np.array([[200, 201, 202, 0]], np.int32), np.array([[1, 1, 2, 0]], np.int32)
  )
  first = 7 if architecture == "encoder_decoder" else BOUNDARY
  reads = layout.shift(answer, spec)
  assert reads[0, :3].tolist() == [first, 200, first]


def test_a_stream_without_types_has_none():
  segment = np.ones((1, 4), np.int32)
  assert layout.stream(segment, segment, "full").type_BxT is None
