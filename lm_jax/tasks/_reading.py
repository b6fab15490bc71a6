"""Shares code and measures of extractive question answering."""

from __future__ import annotations

import collections
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from lm_jax.data.words import is_unspaced, mostly
from lm_jax.examples import files, squad
from lm_jax.examples.forms import Question
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _files, base

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

# The words of an answer; the score of an answer beside a right one.
Split = Callable[[str], list[str]]
Overlap = Callable[[str, str, Split], float]


class ReadingTask(_files.FileTask):
  """Measures exact match and F1 over words, by SQuAD's official rule.

  Rajpurkar et al. 2016, section 6.1; of several right answers the best counts.
  Answers to passages that are mostly not in Latin letters are split as MLQA
  (Lewis et al. 2020) has it: punctuation of any script is left out, and every
  character of a script without spaces is a word. XTREME uses SQuAD's rule
  unchanged for XQuAD; MLQA leaves out Arabic articles as well.
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


def best(overlap: Overlap, answer: str, example: Question) -> float:
  """Scores an answer against the nearest right one; "" if there is none."""
  split = splitter(example.context)
  right = [a.text for a in example.answers if split(a.text)] or [""]
  return max(overlap(answer, text, split) for text in right)


def splitter(text: str) -> Split:
  """Chooses how answers are split, by the letters of a passage.

  Mostly Latin ones keep SQuAD's rule; a right answer does not decide, and may
  well be a number.
  """
  letters = "".join(filter(str.isalpha, text))
  return words if not letters or mostly([letters], str.isascii) else segments


def words(text: str) -> list[str]:
  """Splits an answer: lower case, no punctuation, no articles."""
  return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def segments(text: str) -> list[str]:
  """Splits an answer in any script: lower case, no punctuation of Unicode's.

  Each character of a script without spaces is one, and each word of others:
  MLQA's mixed segmentation, which CMRC 2018 began with.

  >>> segments("《三国》, vol. 3.5")
  ['三', '国', 'vol', '35']
  """
  kept = (
    f" {sign} " if is_unspaced(sign) else sign
    for sign in text.lower()
    if sign not in string.punctuation and unicodedata.category(sign)[0] != "P"
  )
  return "".join(kept).split()


def exact_match(answer: str, right: str, split: Split = words) -> float:
  return float(split(answer) == split(right))


def word_f1(answer: str, right: str, split: Split = words) -> float:
  """Computes harmonic mean of precision and recall over a bag of words."""
  a, b = split(answer), split(right)
  if not a or not b:
    return float(a == b)
  common = sum((collections.Counter(a) & collections.Counter(b)).values())
  return 2 * common / (len(a) + len(b))
