"""Searches by BM25 (Robertson et al. 1995), with bm25s: the baseline."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.data.words import split_missed_words
from lm_jax.retrieval.ranking import Ranking, Run, top
from lm_jax.support import optional

# Lucene's form, with the values of BEIR's baseline (Thakur et al. 2021).
K1, B = 0.9, 0.4


class BM25:
  """An index of words.

  Texts are lowercased, words have at least two characters, English stop words
  (bm25s's 33) are left out, and the others are stemmed by Snowball's English
  stemmer (Porter2). Scores are those of Lucene, idf = log(1 + (N - n + 0.5) /
  (n + 0.5)).

  bm25s's pattern of a word matches nothing in Hindi, and a whole sentence in
  Chinese: lm_jax/data/words.py splits such words, and they are not stemmed.

  Args:
    texts: of the documents by id.
    k1, b: saturation of repeated words, and weight of the document's length.

  Raises:
    UsageError: bm25s or PyStemmer is not installed.
  """

  def __init__(self, texts: Mapping[str, str], k1: float = K1, b: float = B):
    self._bm25s = optional.need("bm25s", "bm25")
    # It sets its own logger to log everything.
    logging.getLogger("bm25s").setLevel(logging.WARNING)
    self._stemmer = optional.need("Stemmer", "bm25").Stemmer("english")
    self._ids = list(texts)
    words = self._words(list(texts.values()))
    # If no document has a word there is nothing to index.
    self._index: Any = None
    if any(words):
      self._index = self._bm25s.BM25(k1=k1, b=b, method="lucene")
      self._index.index(words, show_progress=False)

  def _words(self, texts: Sequence[str]) -> list[list[str]]:
    parts = [split_missed_words(text) for text in texts]
    words_by_text = self._bm25s.tokenize(
      [text for text, _ in parts],
      stopwords="en",
      stemmer=self._stemmer,
      return_ids=False,
      show_progress=False,
    )
    return [
      [*words, *more]
      for words, (_, more) in zip(words_by_text, parts, strict=True)
    ]

  def search(self, queries: Mapping[str, str], k: int) -> Run:
    """Ranks the best documents for each query; only those that share a word.

    Args:
      queries: texts by id.
      k: most documents.
    """
    words = self._words(list(queries.values()))
    return {
      name: self._ranking(query, k)
      for name, query in zip(queries, words, strict=True)
    }

  def _ranking(self, query: Sequence[str], k: int) -> Ranking:
    if self._index is None:
      return {}
    known = [word for word in query if word in self._index.vocab_dict]
    if not known:
      return {}
    scores_N = self._index.get_scores(known)
    return {
      self._ids[i]: float(scores_N[i])
      for i in top(scores_N, k)
      if scores_N[i] > 0
    }
