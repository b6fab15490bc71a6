import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from lm_jax.data import pack
from lm_jax.data.encoding import Encoded
from lm_jax.types import Specials

_SPECIALS = Specials()
_MARKS = pack.Marks(_SPECIALS.pad, _SPECIALS.boundary, _SPECIALS.end)


def _document(seed, size):
  # Every field counts up in steps of its own, so that mix-ups show.
  rng = np.random.default_rng([seed, size])
  word = np.cumsum(np.r_[0, rng.integers(0, 2, size)])[:size]
  sentence = np.cumsum(np.r_[0, rng.random(size) < 0.1])[:size]
  return Encoded(
    ids=rng.integers(109, 999, size).astype(np.int32),
    word=word.astype(np.int32),
    sentence=sentence.astype(np.int32),
    bytes=rng.integers(1, 9, size).astype(np.int32),
  )


def _group(documents):
  """(document, ends) pairs as one group."""
  none = np.zeros(0, np.int32)
  tokens = Encoded(
    *(
      np.concatenate([none, *(_field(d, name) for d, _ in documents)])
      for name in ("ids", "word", "sentence", "bytes")
    )
  )
  counts = np.array([d.ids.size for d, _ in documents], np.int64)
  return pack.Group(tokens, counts, [ends for _, ends in documents])


def _field(document, name):
  # Indices need not start from 0 in each document.
  first = 7 if name in ("word", "sentence") else 0
  return getattr(document, name) + np.int32(first)


def _pack(documents, length, packing, cuts=()):
  """Rows and bytes of documents that are grouped as `cuts` parts them."""
  edges = [0, *sorted(cuts), len(documents)]
  groups = [_group(documents[a:b]) for a, b in itertools.pairwise(edges)]
  blocks = list(pack.pack(groups, length, packing, _MARKS))
  empty = (pack.empty(0, length, 0, np.int32), np.zeros(0, np.int32))
  return tuple(map(np.concatenate, zip(empty, *blocks, strict=True)))


def _segments(row_FxL):
  """The segments of a row, after checking its form."""
  segment = row_FxL[pack.SEGMENT]
  used = int((segment > 0).sum())
  assert (segment[used:] == 0).all()
  assert (row_FxL[:, used:][pack.WORD] == 0).all()
  assert (row_FxL[pack.TOKENS, used:] == _SPECIALS.pad).all()
  found = [row_FxL[:, segment == k] for k in range(1, segment.max() + 1)]
  assert np.concatenate(found, 1).shape[1] == used
  return found


def _expected(document, ends):
  """(token, word, sentence) of a document, counted from 0."""
  rows = [document.ids, document.word, document.sentence]
  out = np.stack(rows, 1).tolist()
  if ends and out:
    out.append([_SPECIALS.end, out[-1][1] + 1, out[-1][2]])
  return out


@hypothesis.given(
  st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=12),
  st.integers(16, 40),
  st.sets(st.integers(0, 12), max_size=3),
)
@hypothesis.settings(deadline=None)
def test_rows_of_whole_sentences(sizes, length, cuts):
  documents = [
    (_document(seed, size), ends) for seed, (size, ends) in enumerate(sizes)
  ]
  cuts = {cut for cut in cuts if cut <= len(documents)}
  rows_NxFxL, _ = _pack(documents, length, pack.WHOLE, cuts)
  rows = iter(rows_NxFxL)
  for document, ends in documents:
    left = _expected(document, ends)
    sentences = [x for _, _, x in left]
    at, numbers = 0, set()
    while at < len(left):
      row = next(rows)
      numbers |= set(row[pack.SEGMENT].tolist()) - {0}
      size = int((row[pack.SEGMENT] > 0).sum())
      # Behind the boundary token, the document goes on.
      assert row[pack.TOKENS, 1:size].tolist() == [
        token for token, _, _ in left[at : at + size - 1]
      ]
      found, room = sentences[at : at + size - 1], length - 1
      end = at + size - 1
      whole_start = at == 0 or sentences[at - 1] != found[0]
      whole_end = end == len(left) or sentences[end] != found[-1]
      if not (whole_start and whole_end):  # a part of a long one, alone
        assert len(set(found)) == 1
        assert sentences.count(found[0]) > room
      elif end < len(left):  # what follows has no room, or is too long
        assert size - 1 + sentences.count(sentences[end]) > room
      at = end
    assert len(numbers) == bool(left)
    assert all(1 <= number < length for number in numbers)
  assert next(rows, None) is None


def test_documents_that_follow_one_another_have_numbers_of_their_own():
  """Wherever a part of one comes from: a chunk, a group, a piece."""
  parts = [(_document(seed, 40), seed % 2 == 1) for seed in range(6)]
  group = _group(parts)._replace(numbers=[7, 7, 8, 8, 40, 40])
  blocks = pack.pack([group], 20, pack.WHOLE, _MARKS)
  rows_NxFxL = np.concatenate([rows for rows, _ in blocks])
  ends_N = (rows_NxFxL[:, pack.TOKENS] == _SPECIALS.end).any(1)
  document_N = np.cumsum(ends_N) - ends_N
  number_N = rows_NxFxL[:, pack.SEGMENT, 0]
  for document, number in enumerate((7, 8, 40)):
    assert set(number_N[document_N == document]) == {1 + number % 19}


@hypothesis.given(
  st.lists(st.tuples(st.integers(0, 90), st.booleans()), max_size=12),
  st.integers(16, 40),
  st.sampled_from(["packed", "document"]),
  st.lists(st.integers(0, 12), max_size=3),
)
@hypothesis.settings(deadline=None)
def test_rows_hold_the_documents_and_nothing_else(
  shapes, length, packing, cuts
):
  documents = [
    (_document(i, size), ends) for i, (size, ends) in enumerate(shapes)
  ]
  cuts = [min(cut, len(documents)) for cut in cuts]
  rows, sizes = _pack(documents, length, packing, cuts)
  for ours, whole in zip(
    (rows, sizes), _pack(documents, length, packing), strict=True
  ):
    np.testing.assert_array_equal(ours, whole)
  left = [d for d in (_expected(*pair) for pair in documents) if d]
  for row in rows:
    segments = _segments(row)
    assert packing == "packed" or len(segments) == 1
    word = sentence = 0  # Where the next segment's counts must start.
    for piece in segments:
      assert piece[pack.TOKENS, 0] == _SPECIALS.boundary
      assert piece[pack.WORD, 0] == word
      assert piece[pack.SENTENCE, 0] == sentence
      body = piece[:, 1:]
      wanted, left[0] = left[0][: body.shape[1]], left[0][body.shape[1] :]
      tokens, words, sentences = np.array(wanted).T
      np.testing.assert_array_equal(body[pack.TOKENS], tokens)
      np.testing.assert_array_equal(
        body[pack.WORD], words - words[0] + word + 1
      )
      np.testing.assert_array_equal(
        body[pack.SENTENCE], sentences - sentences[0] + sentence
      )
      word, sentence = body[pack.WORD, -1] + 1, body[pack.SENTENCE, -1] + 1
      whole = not left[0]
      if whole:
        left.pop(0)
      if packing == "packed":
        # A piece that goes on fills its row, and isn't a scrap at its end.
        ended = np.flatnonzero(row[pack.SEGMENT])[-1] == length - 1
        assert whole or (ended and piece.shape[1] >= pack.shortest(length))
  assert not left
  assert sizes.sum() == sum(document.bytes.sum() for document, _ in documents)


@pytest.mark.parametrize("length", [32, 64, 128, 512])
@pytest.mark.parametrize("mean", [15, 30, 300])
def test_packing_wastes_less_than_two_percent(mean, length):
  rng = np.random.default_rng(0)
  documents = [
    (_document(i, size), True)
    for i, size in enumerate(rng.geometric(1 / mean, 60_000 // mean))
  ]
  rows, _ = _pack(documents, length, "packed")
  assert (rows[:, pack.SEGMENT] == 0).mean() < 0.02


def test_documents_are_cut_at_sentences():
  sentence = np.repeat(np.arange(40), 13)
  numbers = np.arange(sentence.size, dtype=np.int32)
  document = Encoded(numbers + 200, numbers, sentence, numbers)
  rows, _ = _pack([(document, False)], 64, "document")
  # Four sentences of 13 and a boundary fit in 64, and end in its last quarter.
  assert ((rows[:, pack.SEGMENT] > 0).sum(1) == 53).all()
  rows, _ = _pack([(document, False)], 50, "document")
  assert ((rows[:-1, pack.SEGMENT] > 0).sum(1) == 40).all()
  # Sentences of 13 don't end in the last quarter of every row of 33.
  rows, _ = _pack([(document, False)], 21, "document")
  assert (rows[0, pack.SEGMENT] > 0).sum() == 21
