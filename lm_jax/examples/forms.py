"""Defines examples of tasks, by the form of their answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple


@dataclasses.dataclass(frozen=True)
class Example:
  """One or more texts with the right answer.

  id: names it in its split.
  fields: texts by name.
  label: one of Form.labels, or any text where there are none; "": unknown.
  """

  id: str
  fields: Mapping[str, str]
  label: str


@dataclasses.dataclass(frozen=True)
class Tagged:
  """Words with a tag each ("B-person", "O"; IOB2)."""

  id: str
  words: tuple[str, ...]
  tags: tuple[str, ...]


UNPLACED = -1


class Span(NamedTuple):
  """A piece of a text and the character where it starts.

  start: UNPLACED if the text is not where the data say.
  """

  text: str
  start: int


@dataclasses.dataclass(frozen=True)
class Question:
  """A question about a passage.

  answers: all right answers; () if the passage has none.
  """

  id: str
  title: str
  context: str
  question: str
  answers: tuple[Span, ...]


@dataclasses.dataclass(frozen=True)
class Rewriting:
  """A source text and target texts: translations, summaries or answers.

  references: all are right; the first is the target in training.
  source_language, target_language: codes such as "en", for translations.
  """

  id: str
  source: str
  references: tuple[str, ...]
  source_language: str = ""
  target_language: str = ""
