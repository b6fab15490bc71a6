"""Yardsticks that compare models of different objectives.

Each takes a Scorer. Losses of different objectives do not compare, and none
is used here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.score import Scorer


def minimal_pairs(
  scorer: Scorer, pairs: Sequence[Any]
) -> tuple[dict[str, float], list[float]]:
  """How often the real sentence scores above the changed one; ties are half.

  Warstadt et al. 2020 (BLiMP): accuracy of the model's own score of the whole
  sentence, here computed in float32 and summed in float64.

  Args:
    scorer: the model.
    pairs: with fields good, bad and kind.

  Returns:
    Accuracies, over all and by kind, and the score of each pair: 1, 0.5 or 0.
  """
  texts = [pair.good for pair in pairs] + [pair.bad for pair in pairs]
  scores = scorer.text_scores(texts)
  good, bad = scores[: len(pairs)], scores[len(pairs) :]
  items = np.where(good == bad, 0.5, (good > bad).astype(float))
  metrics = {"minimal_pairs": float(items.mean())}
  for kind in sorted({pair.kind for pair in pairs}):
    chosen = np.array([pair.kind == kind for pair in pairs])
    metrics[f"minimal_pairs/{kind}"] = float(items[chosen].mean())
  return metrics, [float(item) for item in items]


def bits_per_byte(scorer: Scorer, batches, byte_counts) -> dict[str, float]:
  """-log2 p(text) per UTF-8 byte of held-out rows, of each document's piece
  given the boundary token; {} where the model has no exact likelihood.

  Args:
    scorer: the model.
    batches: rows.
    byte_counts: bytes of the text behind each row, aligned with the batches.
  """
  if scorer.scoring != "log_likelihood":
    return {}
  nats = 0.0
  for rows in batches:
    nats -= float(scorer.token_scores(rows).astype(np.float64).sum())
  return {"bits_per_byte": nats / math.log(2) / float(np.sum(byte_counts))}


def probe(scorer: Scorer, train: Sequence[Any], test: Sequence[Any]) -> float:
  """Accuracy of a logistic regression on frozen, mean-pooled features.

  Features are standardized on the training passages; C = 1 (scikit-learn).

  Args:
    scorer: the model.
    train, test: passages with fields text and label.
  """
  from sklearn.linear_model import LogisticRegression
  from sklearn.pipeline import make_pipeline
  from sklearn.preprocessing import StandardScaler

  classifier = make_pipeline(
    StandardScaler(), LogisticRegression(C=1.0, max_iter=2000)
  )
  classifier.fit(
    scorer.text_features([p.text for p in train]), [p.label for p in train]
  )
  features = scorer.text_features([p.text for p in test])
  return float(classifier.score(features, [p.label for p in test]))
