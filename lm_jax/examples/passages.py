"""Cuts labelled passages of a corpus, for probes and fine-tuning."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from lm_jax.data.corpus import Corpus
from lm_jax.data.text import paragraphs, sentence_starts, sentences
from lm_jax.data.words import unspaced

FEWEST_WORDS, MOST_WORDS = 40, 90
MOST_LABELS = 20

# The first years of the eras: quarters of the 249 messages.
ERAS = (1790, 1851, 1913, 1972)
LABELS = {
  "era": ("1790-1850", "1851-1912", "1913-1971", "1972-2026"),
  "party": ("Democratic", "Republican"),
}


class Passage(NamedTuple):
  """A text and the index of its label in LABELS[task]."""

  text: str
  label: int


def _label(metadata: dict[str, Any], task: str) -> int | None:
  if task == "era":
    return sum(metadata["year"] >= first for first in ERAS) - 1
  labels = LABELS[task]
  party = metadata["party"]
  return labels.index(party) if party in labels else None


def cut(text: str) -> Iterator[str]:
  """Yields runs of whole sentences of one paragraph, of 40 to 90 words."""
  for paragraph in paragraphs(text):
    words: list[str] = []
    for sentence in sentences(paragraph):
      words += sentence.split()
      if len(words) >= FEWEST_WORDS:
        if len(words) <= MOST_WORDS:
          yield " ".join(words)
        words = []


class Labelled(NamedTuple):
  """Passages for a probe, equally many of each label.

  labels: their names, the commonest first.
  """

  labels: tuple[str, ...]
  train: tuple[Passage, ...]
  test: tuple[Passage, ...]


def pieces(text: str) -> list[str]:
  """Cuts a text of any script into runs of whole sentences, of 40 words or so.

  A character of a script without spaces counts as 5/8 of a word. A text with
  less is one piece; what is left at its end is dropped.
  """
  starts = [*sentence_starts(text), len(text)]
  runs: list[str] = []
  first = 0
  for end in starts[1:]:
    size = _words(text[first:end])
    if size >= FEWEST_WORDS:
      if size <= 2 * MOST_WORDS:
        runs.append(text[first:end].strip())
      first = end
  return runs or ([text.strip()] if text.strip() else [])


def _words(text: str) -> float:
  if unspaced([text]):
    return 0.625 * sum(not sign.isspace() for sign in text)
  return len(text.split())


def labelled(corpus: Corpus, limit: int, seed: int) -> Labelled:
  """Draws passages of a corpus's labelled documents, whole ones held out.

  The labels are those that give the most passages for testing, if each has
  equally many: rare ones are left out, and 20 at most are kept. Documents of a
  label take turns.

  Args:
    corpus: with --data.label_key.
    limit: most passages of a split; three times as many train the probe.

  Returns:
    A function of the arguments alone; no labels if fewer than two have
    passages in both splits.
  """
  assert corpus.labelled is not None
  rng = random.Random(seed)
  splits = []
  for split, most in (("train", 3 * limit), ("test", limit)):
    by_label: dict[str, list[list[str]]] = {}
    for text, label in corpus.labelled(split):
      by_label.setdefault(label, []).append(pieces(text))
    splits.append(
      {x: _in_turn(by_label[x], most, rng) for x in sorted(by_label)}
    )
  train, test = splits
  names = sorted(
    train.keys() & test.keys(),
    key=lambda x: (-min(len(train[x]), len(test[x])), x),
  )[:MOST_LABELS]

  def each(count: int) -> int:
    return min([limit // count, *(len(test[x]) for x in names[:count])])

  count = max(range(2, len(names) + 1), key=lambda k: k * each(k), default=0)
  if not count or not each(count):
    return Labelled((), (), ())
  labels = tuple(names[:count])
  size = min([3 * limit // count, *(len(train[x]) for x in labels)])
  return Labelled(
    labels,
    _equally(labels, train, size, rng),
    _equally(labels, test, each(count), rng),
  )


def _in_turn(
  documents: list[list[str]], most: int, rng: random.Random
) -> list[str]:
  """Takes passages of documents in turn, in random order."""
  rng.shuffle(documents)
  turns = itertools.zip_longest(*documents)
  taken = (text for turn in turns for text in turn if text is not None)
  return list(itertools.islice(taken, most))


def _equally(
  labels: tuple[str, ...],
  texts: dict[str, list[str]],
  count: int,
  rng: random.Random,
) -> tuple[Passage, ...]:
  chosen = [
    Passage(text, number)
    for number, label in enumerate(labels)
    for text in texts[label][:count]
  ]
  rng.shuffle(chosen)
  return tuple(chosen)


def passages(
  corpus: Corpus, task: str, split: str, limit: int, seed: int
) -> list[Passage]:
  """Cuts passages of the messages of a split, labelled by era or party.

  All labels are equally frequent, so that chance is 1 / (number of labels). The
  messages of a label take turns, so that long ones do not dominate.

  Returns:
    At most `limit` passages in random order, a function of the arguments alone;
    none if the corpus has no such labels.

  Raises:
    ValueError: the task is unknown.
  """
  if task not in LABELS:
    raise ValueError(f"task {task!r}; valid: {', '.join(LABELS)}")
  if corpus.name != "sotu":
    return []
  rng = random.Random(seed)
  messages: list[list[list[Passage]]] = [[] for _ in LABELS[task]]
  for document in corpus.documents(split):
    label = _label(document.metadata, task)
    if label is not None:
      cuts = [Passage(text, label) for text in cut(document.text)]
      rng.shuffle(cuts)
      messages[label].append(cuts)
  turns = [
    [p for turn in itertools.zip_longest(*each) for p in turn if p is not None]
    for each in messages
  ]
  count = min(limit // len(turns), *map(len, turns))
  chosen = [passage for turn in turns for passage in turn[:count]]
  rng.shuffle(chosen)
  return chosen
