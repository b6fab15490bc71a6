"""What tasks of extractive answering share, and their measures."""

from __future__ import annotations

import collections
import re
import string
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from lm_jax.data import scripts
from lm_jax.examples import labelled, splits, squad
from lm_jax.examples.forms import Question
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class ReadingTask(base.SupervisedTask):
  """Exact match and F1 over words, by SQuAD's official rule.

  Rajpurkar et al. 2016, section 6.1; of several right answers the best counts.
  Where a passage has no spaces between words, as in Chinese, every character
  is one, and punctuation of any script is left out (as CMRC 2018 and MLQA
  have it; for XQuAD's Chinese and Thai XTREME has SQuAD's rule as it is).
  """

  objective = "extract"
  primary = "f1"

  # May a passage have no answer? Then "" is the right one.
  unanswerable: ClassVar[bool] = False
  names: ClassVar[Mapping[str, Sequence[str]]] = squad.NAMES
  # The split that a data set of one file is; "": it is cut in three.
  whole: ClassVar[str] = ""
  tfds: ClassVar[str] = ""
  splits: ClassVar[Mapping[str, str]] = {
    labelled.TRAIN: "train",
    labelled.TEST: "validation",
  }

  def examples(self, split: str, place: str = "") -> list[Question]:
    if place:
      flag = f"--task_data={self.name}"
      found: list[Question] = splits.read(
        *(place, flag, split, squad.READERS, self.names, self.whole),
        group=lambda example: example.context,
      )
    elif self.tfds:
      found = self._from_tfds(split)
    else:
      raise UsageError(
        f"--task={self.name}: TFDS has it not; name its files by"
        f" --task_data={self.name}=PATH"
      )
    if not self.unanswerable:
      squad.require_answers(found, f"--task={self.name}", "squad2")
    return found

  def _from_tfds(self, split: str) -> list[Question]:
    if split not in self.splits:
      return []
    source = labelled.tfds_records(
      self.tfds, self.splits[split], f"--task={self.name}"
    )
    found = (squad.question(x, str(x["id"]), where) for where, x in source)
    return list(squad.warn_of_unplaced(found, self.tfds))

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Question]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    exact, f1 = (
      [
        best(score, told, example)
        for told, example in zip(predicted, examples, strict=True)
      ]
      for score in (exact_match, word_f1)
    )
    metrics = {"exact_match": mean(exact), "f1": mean(f1)}
    if self.unanswerable:
      # As the official script calls them.
      for name, has in (("HasAns", True), ("NoAns", False)):
        chosen = [i for i, x in enumerate(examples) if bool(x.answers) == has]
        for measure, values in (("exact", exact), ("f1", f1)):
          if chosen:
            metrics[f"{name}_{measure}"] = mean([values[i] for i in chosen])
    return base.Judged(metrics, f1)


def mean(values: Sequence[float]) -> float:
  return sum(values) / max(len(values), 1)


def best(
  score: Callable[[str, str], float], told: str, example: Question
) -> float:
  """The score against the nearest right answer; "" is that of no answer."""
  right = [a.text for a in example.answers if words(a.text)] or [""]
  if scripts.unspaced([example.context]):
    told, right = scripts.spaced(told), [scripts.spaced(text) for text in right]
  return max(score(told, text) for text in right)


def words(text: str) -> list[str]:
  """As answers are compared: lower case, no punctuation, no articles."""
  return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def exact_match(told: str, right: str) -> float:
  return float(words(told) == words(right))


def word_f1(told: str, right: str) -> float:
  """Harmonic mean of precision and recall over words, counted as a bag."""
  a, b = words(told), words(right)
  if not a or not b:
    return float(a == b)
  common = sum((collections.Counter(a) & collections.Counter(b)).values())
  return 2 * common / (len(a) + len(b))
