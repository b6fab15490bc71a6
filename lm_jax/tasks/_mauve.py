"""Computes MAUVE: how similar two sets of texts are, by their features.

Pillutla et al. 2021 (NeurIPS), section 3 and appendix; Pillutla et al. 2023
(JMLR). The authors' package, mauve-text, is under the GPL; so this is
written from the papers, with scikit-learn.
"""

from __future__ import annotations

import warnings

import numpy as np

POINTS = 25  # number of points of the curve
SCALE = 5.0  # the constant c
VARIANCE = 0.9  # that PCA keeps
REDOS = 5  # restarts of k-means, of which the best counts


def mauve(one_NxD: np.ndarray, other_MxD: np.ndarray, seed: int = 0) -> float:
  """Computes MAUVE, 0 to 1; 1 if both sets have equal histograms of clusters.

  Features of both sets, of unit length, are reduced by PCA and clustered by
  k-means with k = n / 10, at least two; the two histograms are compared.

  Args:
    one_NxD, other_MxD: a row for each text, 2 rows or more.
    seed: of k-means.
  """
  p_K, q_K = histograms(one_NxD, other_MxD, seed)
  return area(p_K, q_K)


def histograms(
  one_NxD: np.ndarray, other_MxD: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray]:
  """Computes the share of each set in each cluster: float64 [K]."""
  from sklearn.cluster import KMeans
  from sklearn.decomposition import PCA
  from sklearn.exceptions import ConvergenceWarning
  from sklearn.preprocessing import normalize
  from threadpoolctl import threadpool_limits

  both = normalize(np.concatenate([one_NxD, other_MxD]).astype(np.float64))
  clusters = max(2, round(min(len(one_NxD), len(other_MxD)) / 10))
  # With one thread, so that sums do not depend on the number of cores.
  with threadpool_limits(1), warnings.catch_warnings():
    pca = PCA(random_state=seed).fit(both)
    explained = np.cumsum(np.nan_to_num(pca.explained_variance_ratio_))
    kept = min(int(np.searchsorted(explained, VARIANCE)) + 1, len(explained))
    reduced = pca.transform(both)[:, :kept]
    # Fewer distinct texts than clusters: the others stay empty.
    warnings.simplefilter("ignore", ConvergenceWarning)
    means = KMeans(clusters, n_init=REDOS, max_iter=500, random_state=seed)
    label = means.fit_predict(reduced)
  counts = [
    np.bincount(part, minlength=clusters)
    for part in (label[: len(one_NxD)], label[len(one_NxD) :])
  ]
  p_K, q_K = (count / count.sum() for count in counts)
  return p_K, q_K


def area(p_K: np.ndarray, q_K: np.ndarray) -> float:
  """Area under the curve (exp(-c KL(q, r)), exp(-c KL(p, r))).

  r = w p + (1 - w) q for POINTS w from 0 to 1; both ends are (0, 1) and
  (1, 0). It uses the trapezoidal rule and averages over both axes.
  """
  points = [(0.0, 1.0)]
  for w in np.linspace(1e-6, 1 - 1e-6, POINTS):
    r_K = w * p_K + (1 - w) * q_K
    points.append(
      (np.exp(-SCALE * _kl(q_K, r_K)), np.exp(-SCALE * _kl(p_K, r_K)))
    )
  points.append((1.0, 0.0))
  x, y = np.array(points).T
  # At points with equal coordinates the curve goes down.
  by_x, by_y = np.lexsort((-y, x)), np.lexsort((-x, y))
  across = np.trapezoid(y[by_x], x[by_x]), np.trapezoid(x[by_y], y[by_y])
  return float(np.mean(across))


def _kl(p_K: np.ndarray, r_K: np.ndarray) -> float:
  there = p_K > 0
  return float(np.sum(p_K[there] * np.log(p_K[there] / r_K[there])))
