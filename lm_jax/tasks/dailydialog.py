"""Measures DailyDialog: the next turn of a conversation."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from lm_jax.data.words import split
from lm_jax.examples import files, text_pairs
from lm_jax.examples.forms import Rewriting
from lm_jax.tasks import _files, _reading, base


class Dailydialog(_files.FileTask):
  """Li et al. 2017; F1 over words, and distinct-n (Li et al. 2016) of replies.

  Only the reply has loss, so that a run's perplexity is exp of its validation
  loss. PATH:de reads the turns of another language.
  """

  objective = "respond"
  primary = "f1"

  names = _files.Names(train=("dialogues_text",))
  language = "en"

  def readers(self) -> Mapping[str, files.Reader]:
    read = functools.partial(text_pairs.replies, language=self.language)
    return {".jsonl": read, ".txt": read}

  def group(self, example: Rewriting) -> str:
    return example.id.rpartition(".")[0]

  def examples(self, split: str, place: str = "") -> list[Rewriting]:
    path, _, language = place.partition(":")
    self.language = language or "en"
    return super().examples(split, path)

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Rewriting]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    scores = [
      max(_f1(answer, text) for text in x.references)
      for answer, x in zip(predicted, examples, strict=True)
    ]
    metrics = {"f1": _reading.mean(scores)}
    for n in (1, 2):
      metrics[f"distinct_{n}"] = distinct(predicted, n)
    return base.Judged(metrics, scores)


def _f1(answer: str, right: str) -> float:
  """Computes F1 over words, or over characters in scripts without spaces."""
  return _reading.word_f1(answer, right, _reading.splitter(right))


def distinct(texts: Sequence[str], n: int) -> float:
  """Divides different n-grams of words by all n-grams, over all texts."""
  words = [split(text) for text in texts]
  grams = [
    tuple(one[i : i + n]) for one in words for i in range(len(one) - n + 1)
  ]
  return len(set(grams)) / max(len(grams), 1)
