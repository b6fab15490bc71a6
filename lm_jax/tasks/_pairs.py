"""Measures accuracy on pairs of a better and a worse sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from lm_jax.examples.published_pairs import Pair
from lm_jax.tasks import _linking
from lm_jax.tasks.base import Measure


class HasPair(Protocol):
  """A pair of sentences; any class with these fields will do."""

  @property
  def good(self) -> str: ...

  @property
  def bad(self) -> str: ...


def scores(
  scorer, pairs: Sequence[HasPair], link: str = "sum"
) -> tuple[np.ndarray, np.ndarray, list[float]]:
  """Scores both sentences, float64 [n], and each pair: 1, 0 or 0.5.

  A sentence has the model's own score, in float32 and linked in float64; 0.5 is
  a tie. Equal sentences are scored once.

  link: how a sentence's tokens make its score (_linking.py).
  """
  texts = [pair.good for pair in pairs] + [pair.bad for pair in pairs]
  distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
  values = scorer.text_scores(list(distinct))
  if link != "sum":
    specials = scorer.spec.specials
    around = len(specials.before) + len(specials.after)
    lengths = scorer.text_lengths(list(distinct)) - around
    values = _linking.linked(values, lengths, link)
  values = values[[distinct[t] for t in texts]]
  good, bad = values[: len(pairs)], values[len(pairs) :]
  right = np.where(good == bad, 0.5, (good > bad).astype(float))
  return good, bad, [float(x) for x in right]


def by_metric(
  name: str, right: Sequence[float], groups: Sequence[tuple[str, ...]]
) -> dict[str, list[float]]:
  """Returns the scores of all pairs and of each group, in their order.

  Args:
    name: of the metric.
    right: of each pair.
    groups: of each pair.
  """
  members: dict[str, list[float]] = {}
  for score, names in zip(right, groups, strict=True):
    for group in names:
      members.setdefault(group, []).append(score)
  parts = {f"{name}/{group}": own for group, own in sorted(members.items())}
  return {name: list(right), **parts}


def means(items: Mapping[str, Sequence[float]]) -> dict[str, float]:
  """Computes the accuracy of each list of scores."""
  return {name: float(np.mean(own)) for name, own in items.items()}


def fitting(scorer, pairs: Sequence[Pair]) -> list[Pair]:
  """Returns the pairs whose sentences fit a row of the model.

  Those are the same for all models of one tokenizer and length.
  """
  goods, bads = (
    scorer.text_lengths(texts)
    for texts in ([p.good for p in pairs], [p.bad for p in pairs])
  )
  kept = np.maximum(goods, bads) <= scorer.spec.length
  return [pair for pair, fits in zip(pairs, kept, strict=True) if fits]


def measure(
  scorer,
  pairs: Sequence[Pair],
  name: str,
  link: str = "sum",
  lost: Sequence[bool] = (),
) -> Measure:
  """Measures a task of pairs; empty if the model has no score.

  Args:
    scorer: the model.
    pairs: not empty.
    name: of the task.
    link: how a sentence's tokens make its score (_linking.py).
    lost: for each pair whether it counts as wrong whatever its scores are.
  """
  if not scorer.scoring:
    return Measure()
  good, bad, right = scores(scorer, pairs, link)
  if lost:
    right = [0.0 if no else x for x, no in zip(right, lost, strict=True)]
  items = by_metric(name, right, [pair.groups for pair in pairs])
  metrics = means(items) | {f"{name}/items": float(len(pairs))}
  predictions = [
    {
      "task": name,
      "id": pair.id,
      "score": right[i],
      "good": pair.good,
      "bad": pair.bad,
      "scores": [float(good[i]), float(bad[i])],
    }
    for i, pair in enumerate(pairs)
  ]
  parts = {
    metric: group.partition("/")[0]
    for metric in items
    if "/" in (group := metric.removeprefix(f"{name}/"))
  }
  scoring = "" if link == "sum" else f"{scorer.scoring}, linked by {link}"
  return Measure(metrics, items, predictions, scoring, parts=parts)
