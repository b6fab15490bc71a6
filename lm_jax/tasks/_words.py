"""Computes ROUGE of texts in any script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lm_jax.data.words import mixed_words, mostly


class Rouge:
  """ROUGE of rouge-score with its stemmer; equal texts score 1.

  rouge-score knows the letters a to z and finds no words in Hindi, Chinese or
  Russian. If references are mostly not in these letters, `mixed_words` splits
  them; else the numbers are rouge-score's own. Only references decide, so that
  no answer can choose its measure.
  """

  def __init__(self, names: Sequence[str], library: Any, tokenizers: Any):
    names = list(names)
    self._default = tokenizers.DefaultTokenizer(True)
    self._official = library.RougeScorer(names, tokenizer=self._default)
    self._by_script = library.RougeScorer(names, tokenizer=self)

  def tokenize(self, text: str) -> list[str]:
    """Splits like rouge_score.tokenizers.Tokenizer; stems English words.

    A text without letters and digits is split into its other characters.
    """
    tokens: list[str] = []
    for word in mixed_words(text) or "".join(text.split()):
      stems = self._default.tokenize(word) if word.isascii() else []
      tokens += stems or [word]
    return tokens

  def scores(self, references: Sequence[str], answer: str) -> Any:
    """Scores an answer against the best of some references, by measure."""
    scorer = self._official if is_latin(references) else self._by_script
    return scorer.score_multi(references, answer)


def is_latin(texts: Iterable[str]) -> bool:
  """Returns whether texts are mostly in the letters that rouge-score knows."""
  return mostly(texts, lambda sign: sign.isascii())
