"""ROUGE of texts in any script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lm_jax.data.scripts import mostly, words


class Rouge:
  """ROUGE of rouge-score, its stemmer on; 1 for texts that are the same.

  rouge-score knows the letters a to z, and finds no word in Hindi, Chinese
  or Russian. Where references are not in these letters for the most part,
  `words` finds the words; else numbers are rouge-score's own. References
  alone decide, so that no answer can choose how it is measured.
  """

  def __init__(self, names: Sequence[str], library: Any, tokenizers: Any):
    names = list(names)
    self._default = tokenizers.DefaultTokenizer(True)
    self._official = library.RougeScorer(names, tokenizer=self._default)
    self._by_script = library.RougeScorer(names, tokenizer=self)

  def tokenize(self, text: str) -> list[str]:
    """As rouge_score.tokenizers.Tokenizer; English words are stemmed as ever.

    A text without letters and digits is counted by its other characters.
    """
    found: list[str] = []
    for word in words(text) or "".join(text.split()):
      stems = self._default.tokenize(word) if word.isascii() else []
      found += stems or [word]
    return found

  def scores(self, references: Sequence[str], told: str) -> Any:
    """By measure, against the nearest of some references."""
    scorer = self._official if is_latin(references) else self._by_script
    return scorer.score_multi(references, told)


def is_latin(texts: Iterable[str]) -> bool:
  """Are texts for the most part in the letters that rouge-score knows?"""
  return mostly(texts, lambda sign: sign.isascii())
