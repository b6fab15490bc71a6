"""Cuts labelled passages of the embedded corpus, for probes and fine-tuning."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

from lm_jax.data.corpus import Corpus
from lm_jax.data.text import paragraphs, sentences

FEWEST_WORDS, MOST_WORDS = 40, 90

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
