"""Accuracy on pairs of a better and a worse sentence, of whatever task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from lm_jax.tasks.base import Measure


class HasPair(Protocol):
  """What is compared; any class with these fields will do."""

  @property
  def good(self) -> str: ...

  @property
  def bad(self) -> str: ...


class Pair(NamedTuple):
  """A better and a worse sentence.

  id: names it in its data.
  groups: what it belongs to, "field/syntax"; each gets an accuracy, among
    the parts of its level, "field".
  """

  id: str
  good: str
  bad: str
  groups: tuple[str, ...] = ()


def scores(
  scorer, pairs: Sequence[HasPair]
) -> tuple[np.ndarray, np.ndarray, list[float]]:
  """The model's scores of both, float64 [n], and of each pair 1, 0 or 0.5.

  The score is the model's own of the whole sentence, in float32 and summed in
  float64; 0.5 is a tie. Equal sentences are scored once.
  """
  texts = [pair.good for pair in pairs] + [pair.bad for pair in pairs]
  distinct = {text: i for i, text in enumerate(dict.fromkeys(texts))}
  found = scorer.text_scores(list(distinct))[[distinct[t] for t in texts]]
  good, bad = found[: len(pairs)], found[len(pairs) :]
  right = np.where(good == bad, 0.5, (good > bad).astype(float))
  return good, bad, [float(x) for x in right]


def by_metric(
  name: str, right: Sequence[float], groups: Sequence[tuple[str, ...]]
) -> dict[str, list[float]]:
  """The scores of all pairs, and of those of each group, in their order.

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
  """The accuracy of each of some lists of scores."""
  return {name: float(np.mean(own)) for name, own in items.items()}


def measure(
  scorer, pairs: Sequence[Pair], name: str, facts: Mapping[str, float]
) -> Measure:
  """What a task of pairs found; empty where the model has no score.

  Args:
    scorer: the model.
    pairs: not empty.
    name: of the task.
    facts: further metrics.
  """
  if not scorer.scoring:
    return Measure()
  good, bad, right = scores(scorer, pairs)
  items = by_metric(name, right, [pair.groups for pair in pairs])
  metrics = means(items) | {f"{name}/items": float(len(pairs)), **facts}
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
  return Measure(metrics, items, predictions, parts=parts)
