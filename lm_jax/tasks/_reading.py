"""Shares code and measures of extractive question answering."""

from __future__ import annotations

import collections
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from lm_jax.data.words import spaced, unspaced
from lm_jax.examples import files, squad
from lm_jax.examples.forms import Question
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _files, base

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ReadingTask(_files.FileTask):
  """Measures exact match and F1 over words, by SQuAD's official rule.

  Rajpurkar et al. 2016, section 6.1; of several right answers the best counts.
  If a passage has no spaces between words, as in Chinese, every character is a
  word, and punctuation of any script is left out (as in CMRC 2018 and MLQA;
  XTREME uses SQuAD's rule unchanged for XQuAD's Chinese and Thai).
  """

  objective = "extract"
  primary = "f1"

  # Whether a passage may have no answer; then "" is the right one.
  unanswerable: ClassVar[bool] = False
  # The files of both versions of SQuAD.
  names = _files.Names(
    train=("train-v1.1", "train-v2.0"), dev=("dev-v1.1", "dev-v2.0")
  )
  splits = _files.Splits(dev="", test="validation")

  def readers(self) -> Mapping[str, files.Reader]:
    return squad.READERS

  def made(self, source: files.Source) -> Iterator[Any]:
    by_id = ((where, str(x["id"]), x) for where, _, x in source)
    return squad.questions(by_id, self.tfds)

  def group(self, example: Any) -> str:
    return example.context

  def examples(self, split: str, place: str = "") -> list[Question]:
    questions: list[Question] = super().examples(split, place)
    for one in questions:
      if not (one.answers or self.unanswerable):
        raise UsageError(
          f"--task={self.name}, example {one.id}: has no answer; --task=squad2"
          " takes such"
        )
    return questions

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Question]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    exact, f1 = (
      [
        best(score, answer, example)
        for answer, example in zip(predicted, examples, strict=True)
      ]
      for score in (exact_match, word_f1)
    )
    metrics = {"exact_match": mean(exact), "f1": mean(f1)}
    if self.unanswerable:
      # The official script's names.
      for name, has in (("HasAns", True), ("NoAns", False)):
        chosen = [i for i, x in enumerate(examples) if bool(x.answers) == has]
        for measure, values in (("exact", exact), ("f1", f1)):
          if chosen:
            metrics[f"{name}_{measure}"] = mean([values[i] for i in chosen])
    return base.Judged(metrics, f1)


def mean(values: Sequence[float]) -> float:
  return sum(values) / max(len(values), 1)


def best(
  score: Callable[[str, str], float], answer: str, example: Question
) -> float:
  """Scores an answer against the nearest right one; "" if there is none."""
  right = [a.text for a in example.answers if words(a.text)] or [""]
  if unspaced([example.context]):
    answer, right = (
      spaced(answer),
      [spaced(text) for text in right],
    )
  return max(score(answer, text) for text in right)


def words(text: str) -> list[str]:
  """Splits an answer: lower case, no punctuation, no articles."""
  return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(answer: str, right: str) -> float:
  return float(words(answer) == words(right))


def word_f1(answer: str, right: str) -> float:
  """Computes harmonic mean of precision and recall over a bag of words."""
  a, b = words(answer), words(right)
  if not a or not b:
    return float(a == b)
  common = sum((collections.Counter(a) & collections.Counter(b)).values())
  return 2 * common / (len(a) + len(b))
