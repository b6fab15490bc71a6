"""Cuts documents into passages, each a prompt and its true continuation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

PROMPT, CONTINUATION = 32, 64  # words


class Passage(NamedTuple):
  """A prompt and its true continuation."""

  id: str
  prompt: str
  true: str


def passages(documents: Iterable[tuple[str, str]]) -> Iterator[Passage]:
  """Yields consecutive runs of PROMPT + CONTINUATION words.

  documents: names and texts.
  """
  size = PROMPT + CONTINUATION
  for name, text in documents:
    words = text.split()
    for start in range(0, len(words) - size + 1, size):
      middle = start + PROMPT
      yield Passage(
        f"{name}:{start}",
        " ".join(words[start:middle]),
        " ".join(words[middle : start + size]),
      )
