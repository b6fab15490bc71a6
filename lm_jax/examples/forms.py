"""What one example of a task holds, by the form of its answer."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NamedTuple


@dataclasses.dataclass(frozen=True)
class Example:
  """A text, or several, with the right answer.

  id: names it in its split.
  fields: texts by name.
  label: one of Form.labels, or any text where there are none; "": not told.
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
  """A piece of a text, and at which character it starts.

  start: UNPLACED where the text does not stand where the data say it does.
  """

  text: str
  start: int


@dataclasses.dataclass(frozen=True)
class Question:
  """A question about a passage.

  answers: any of them is right; () where the passage has none.
  """

  id: str
  title: str
  context: str
  question: str
  answers: tuple[Span, ...]


@dataclasses.dataclass(frozen=True)
class Rewriting:
  """A text and what may be made of it: a translation, a summary, an answer.

  references: any of them is right; the first is what is trained on.
  source_language, target_language: codes, of translations ("en", "de").
  """

  id: str
  source: str
  references: tuple[str, ...]
  source_language: str = ""
  target_language: str = ""
