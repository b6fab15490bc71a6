"""The interface of what answers a question from documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.examples.collection import Document


class Answer(NamedTuple):
  """A reader's answer to a question.

  text: "" where there is no answer.
  document: id of the one that it stands in; "" where that is not known.
  score: comparable between answers of one reader; higher is surer.
  """

  text: str
  document: str
  score: float


class Reader:
  """A model that answers a question from documents.

  Attributes:
    cut: questions whose documents did not fit, so far.
  """

  cut: int = 0

  def answer(self, question: str, documents: Sequence[Document]) -> Answer:
    """Answers a question from documents, best first."""
    raise NotImplementedError
