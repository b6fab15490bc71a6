"""Shares measures of Chinese extractive question answering: CMRC 2018's."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from lm_jax.examples import cmrc, files
from lm_jax.examples.forms import Question
from lm_jax.support import optional
from lm_jax.tasks import _reading, base

# Left out of answers by CMRC's script; what it does not name stays.
_LEFT_OUT = frozenset("-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』")

Tokenize = Callable[[str], list[str]]


class ChineseReadingTask(_reading.ReadingTask):
  """Measures exact match and F1 by the official script of CMRC 2018.

  Cui et al. 2019, and cmrc2018_evaluate.py: an answer is split into Chinese
  characters and the tokens of other text (NLTK's), in lower case and without
  most punctuation. F1 = 2pr / (p + r), where p and r are the shares of the
  longest common substring of such parts in the given and in the right answer,
  not of a bag of words. Of several right answers the best counts. Departure:
  other text is not cut into sentences before it is tokenized.
  """

  def readers(self) -> Mapping[str, files.Reader]:
    return cmrc.READERS

  def has_answers(self, path: pathlib.Path) -> bool:
    """Returns whether the first question has an answer; CLUE's tests don't."""
    ends = [end for end in cmrc.READERS if files.has_suffix(path, end)]
    first: Iterator[Question] = (
      iter(cmrc.READERS[ends[0]](path)) if ends else iter(())
    )
    question = next(first, None)
    return question is None or bool(question.answers)

  def require(self, examples: Sequence[Question]) -> None:
    tokenizer(self.name)

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Question]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    tokenize = tokenizer(self.name)
    exact, f1 = [], []
    for answer, example in zip(predicted, examples, strict=True):
      right = [x.text for x in example.answers]
      exact.append(max(exact_match(answer, text) for text in right))
      f1.append(max(substring_f1(answer, text, tokenize) for text in right))
    metrics = {
      "exact_match": _reading.mean(exact),
      "f1": _reading.mean(f1),
    }
    return base.Judged(metrics, f1)

  def signatures(self, examples: Sequence[Any]) -> dict[str, str]:
    return dict.fromkeys(("exact_match", "f1"), "cmrc2018_evaluate.py")


def tokenizer(name: str) -> Tokenize:
  """Returns NLTK's tokenizer of words, for a task of this name."""
  library = optional.need("nltk.tokenize.destructive", name)
  tokenize: Tokenize = library.NLTKWordTokenizer().tokenize
  return tokenize


def exact_match(answer: str, right: str) -> float:
  """Compares two answers without punctuation, in lower case."""
  return float(_bare(answer) == _bare(right))


def _bare(text: str) -> str:
  return "".join(x for x in text.lower().strip() if x not in _LEFT_OUT)


def segments(text: str, tokenize: Tokenize) -> list[str]:
  """Splits an answer into Chinese characters and tokens of other text.

  >>> segments("《红楼梦》 vol. 2", str.split)
  ['红', '楼', '梦', 'vol.', '2']
  """
  parts: list[str] = []
  other = ""
  for sign in _bare(text):
    if "\u4e00" <= sign <= "\u9fa5":
      parts += [*tokenize(other), sign]
      other = ""
    else:
      other += sign
  return parts + tokenize(other)


def substring_f1(answer: str, right: str, tokenize: Tokenize) -> float:
  """Computes F1 of the longest common substring of parts; 0 without one.

  >>> round(substring_f1("在北京大学", "北京大学", str.split), 4)
  0.8889
  """
  given, wanted = segments(answer, tokenize), segments(right, tokenize)
  longest = _longest(given, wanted)
  if not longest:
    return 0.0
  return 2 * longest / (len(given) + len(wanted))


def _longest(a: Sequence[str], b: Sequence[str]) -> int:
  """Returns the length of the longest common substring."""
  longest = 0
  ends = [0] * (len(b) + 1)  # that of substrings that end at each place of b
  for part in a:
    before = 0
    for j, other in enumerate(b, start=1):
      before, ends[j] = ends[j], before + 1 if part == other else 0
      longest = max(longest, ends[j])
  return longest
