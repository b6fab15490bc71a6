"""How BERT and ALBERT make pairs, written from their descriptions; and what a
look-up table of the surface guesses of the label.
"""

from __future__ import annotations

import collections

import numpy as np

# One text and another, as ids.
Pair = tuple[list[int], list[int]]


def published(
  documents: list[list[list[int]]], room: int, order: bool, seed: int
) -> tuple[list[Pair], np.ndarray]:
  """Pairs of texts, and labels: 0 where the second follows the first.

  Devlin et al. 2019, appendix A.2, and their public script: sentences are
  gathered until a target, the room of a pair (a random shorter one for one
  document in ten); the first text ends at a random sentence. For half of
  the pairs the second one is drawn from another document, from a random
  sentence on, and what it replaces is read again; the longer text loses
  tokens at a random end until both fit. Lan et al. 2020, section 3.1: for half
  of the pairs the two texts change places instead; a single sentence gets
  a text of another document there, too.

  Args:
    documents: as sentences of ids.
    room: tokens of a pair.
    order: ALBERT's.
    seed: of all that is random.
  """
  rng = np.random.default_rng(seed)
  pairs, labels = [], []

  def elsewhere(own: int, wanted: int) -> list[int]:
    other = own
    while other == own:
      other = int(rng.integers(len(documents)))
    found: list[int] = []
    first = int(rng.integers(len(documents[other])))
    for sentence in documents[other][first:]:
      found += sentence
      if len(found) >= wanted:
        break
    return found

  for number, document in enumerate(documents):
    target = rng.integers(2, room + 1) if rng.random() < 0.1 else room
    at = 0
    while at < len(document):
      end, size = at, 0
      while end < len(document) and size < target:
        size += len(document[end])
        end += 1
      count = end - at
      middle = at + (int(rng.integers(1, count)) if count > 1 else 1)
      first = [x for sentence in document[at:middle] for x in sentence]
      second = [x for sentence in document[middle:end] for x in sentence]
      label = int(rng.random() < 0.5)
      at = end
      if count == 1 or (label and not order):
        second, label = elsewhere(number, target - len(first)), 1
        at = middle  # the rest is read again
      elif label:
        first, second = second, first
      while len(first) + len(second) > room:
        longer = first if len(first) > len(second) else second
        longer.pop(0 if rng.random() < 0.5 else -1)
      pairs.append((first, second))
      labels.append(label)
  return pairs, np.array(labels)


def guessed(
  pairs: list[Pair], labels: np.ndarray, begins: np.ndarray, ends: np.ndarray
) -> float:
  """The best share of labels that a look-up table guesses from the surface.

  Tables of lengths, in classes of their sum or of each, with how the texts
  begin (a capital?) and end (a full stop?). Each is made of one half of the
  pairs and tested on the other, both ways.

  Args:
    pairs, labels: of `published`.
    begins, ends: small whole numbers, by id.
  """
  sizes = np.array([(len(a), len(b)) for a, b in pairs])
  around = np.array(
    [(begins[a[0]], begins[b[0]], ends[a[-1]], ends[b[-1]]) for a, b in pairs]
  )
  most = int(sizes.sum(1).max())
  lengths = (
    sizes.sum(1, keepdims=True) // (1 + most // 16),
    sizes // (1 + most // 8),
    sizes[:, :1] // (1 + most // 16),
  )
  # Neighbours share their text: the halves are two parts of the corpus.
  half = np.arange(len(labels)) < len(labels) // 2
  best = 0.0
  for length in lengths:
    keys = np.hstack([length, around])
    right = 0
    for fit, test in ((half, ~half), (~half, half)):
      votes: dict[tuple[int, ...], int] = collections.Counter()
      for key, label in zip(keys[fit].tolist(), labels[fit], strict=True):
        votes[tuple(key)] += 2 * int(label) - 1
      usual = 2 * int(labels[fit].sum()) - int(fit.sum())
      for key, label in zip(keys[test].tolist(), labels[test], strict=True):
        right += (votes.get(tuple(key), usual) > 0) == bool(label)
    best = max(best, right / len(labels))
  return best
