"""A reader that takes its answer word by word from one of the documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_jax.apps.answering.base import Answer, Reader
from lm_jax.examples.collection import Document
from lm_jax.examples.forms import Question

OBJECTIVE = "extract"


class SpanReader(Reader):
  """The likeliest span of all documents.

  As Chen et al. 2017 (DrQA, section 3.2): spans of all documents are compared
  by the same unnormalized score, the sum of the logits of start and end, and
  what was retrieved with a higher score has no advantage. Karpukhin et al.
  2020 choose the document first, by a score that this reader has not.

  Args:
    model: fine-tuned by `extract`, lm_jax.loaded_model.Trained.
  """

  def __init__(self, model: Any):
    self._model = model

  def answer(self, question: str, documents: Sequence[Document]) -> Answer:
    texts = [document.full_text for document in documents]
    best = Answer("", "", float("-inf"))
    for number, text, score in self._spans(question, texts):
      if score > best.score:
        best = Answer(text, documents[number].id, score)
    return best

  def _spans(
    self, question: str, texts: Sequence[str]
  ) -> list[tuple[int, str, float]]:
    """Finds the best span of each window: index of the text, span, score."""
    from lm_jax.finetuning import forward
    from lm_jax.finetuning.heads import extract

    model = self._model
    asked = [
      Question(str(i), "", text, question, ()) for i, text in enumerate(texts)
    ]
    windows = extract.windows(asked, model.tokenizer, model.spec.length)
    items = [window.item(window.may()) for window in windows]
    outputs = forward.outputs(model, items)
    spans = []
    for window, logits_nx2 in zip(windows, outputs, strict=True):
      span = extract.best_of(window, logits_nx2, model.objective.longest)
      text = texts[window.example][span.start : span.end]
      spans.append((window.example, text, span.score))
    return spans
