"""Makes rankings: the best of many scores, and fusion of rankings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

# Results of a query, best first: scores by ids of documents.
Ranking = dict[str, float]
# Rankings by ids of queries.
Run = dict[str, Ranking]

# Cormack et al. 2009, section 3.
RRF_K = 60


def top(scores_N: np.ndarray, k: int) -> np.ndarray:
  """Returns indices of the k highest scores, best first; ties by index.

  >>> top(np.array([1.0, 3.0, 3.0, 2.0]), 2)
  array([1, 2])
  """
  k = min(k, len(scores_N))
  if not k:
    return np.zeros(0, np.int64)
  least = np.partition(scores_N, len(scores_N) - k)[len(scores_N) - k]
  above = np.flatnonzero(scores_N > least)
  equal = np.flatnonzero(scores_N == least)[: k - len(above)]
  chosen = np.sort(np.concatenate([above, equal]))
  return chosen[np.argsort(-scores_N[chosen], kind="stable")]


def fuse(rankings: Sequence[Mapping[str, float]], k: int) -> Ranking:
  """Fuses rankings: score(d) = sum over rankings of 1 / (60 + rank(d)).

  Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion outperforms
  Condorcet and individual rank learning methods". Ranks count from 1; a
  ranking without d adds nothing.

  Args:
    rankings: of one query, each best first.
    k: number of documents to keep.
  """
  scores: Ranking = {}
  for ranking in rankings:
    for rank, document in enumerate(ranking, start=1):
      scores[document] = scores.get(document, 0.0) + 1 / (RRF_K + rank)
  order = sorted(scores, key=lambda document: -scores[document])  # stable
  return {document: scores[document] for document in order[:k]}


def fuse_runs(runs: Sequence[Mapping[str, Ranking]], k: int) -> Run:
  """Applies `fuse` to each query of several runs."""
  queries: Iterable[str] = dict.fromkeys(q for run in runs for q in run)
  return {q: fuse([run.get(q, {}) for run in runs], k) for q in queries}
