"""Two models' predictions of the same items: which is better, and where.

Items are paired by task and id. Results hold for these checkpoints only:
another seed of either may differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.evaluation import examples, results
from lm_jax.evaluation.paired_predictions import (
  Predictions,
  PredictionsById,
  Shots,
)
from lm_jax.evaluation.predictions import Record
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.estimates import Estimate
from lm_jax.support.errors import UsageError, short


@dataclasses.dataclass(frozen=True)
class Pair:
  """A model against the baseline, on the items of a task.

  scores, baseline: with intervals over items.
  difference: scores minus those of the baseline; its p is not corrected.
  p: corrected by Holm for all that were compared together.
  both, only, only_baseline, neither: items, by whose score is 1, or higher.
  alike: items of equal scores between 0 and 1.
  differing: its record and the baseline's, of items whose scores differ, or
    that both answer wrongly, and differently; largest differences first.
  """

  model: str
  task: str
  shots: tuple[Shots, Shots]
  items: int
  scores: Estimate
  baseline: Estimate
  difference: Estimate
  both: int
  only: int
  only_baseline: int
  neither: int
  alike: int
  differing: tuple[tuple[Record, Record], ...]
  p: float | None = None


def pairs(
  models: Sequence[Predictions], baseline: Predictions
) -> tuple[list[Pair], list[str]]:
  """Compares each model with the baseline on each task that both have.

  Returns:
    the pairs, p values corrected together, and notes on what was left out.

  Raises:
    UsageError: no task in common, or the items of one are not the same.
  """
  uncorrected: list[Pair] = []
  notes: list[str] = []
  for model in models:
    shared = [task for task in model.tasks if task in baseline.tasks]
    if not shared:
      raise UsageError(
        f"{model.where}: has {', '.join(model.tasks)}, and {baseline.where}"
        f" {', '.join(baseline.tasks)}: no task in common"
      )
    for one, other in ((model, baseline), (baseline, model)):
      alone = [task for task in one.tasks if task not in other.tasks]
      if alone:
        notes.append(
          f"Left out: {', '.join(alone)}, which {one.name} has and"
          f" {other.name} has not."
        )
    for task in shared:
      for shots in _settings(model, baseline, task, notes):
        uncorrected.append(_pair(model, baseline, task, shots))
  corrected = items_lib.holm([pair.difference.p for pair in uncorrected])
  done = [
    dataclasses.replace(pair, p=p)
    for pair, p in zip(uncorrected, corrected, strict=True)
  ]
  return done, notes


def _settings(
  model: Predictions, baseline: Predictions, task: str, notes: list[str]
) -> list[tuple[Shots, Shots]]:
  """Numbers of shots to be compared: the same, or the only ones."""
  of_model, of_baseline = model.tasks[task], baseline.tasks[task]
  if len(of_model) == len(of_baseline) == 1:
    both_are = next(iter(of_model)), next(iter(of_baseline))
    if both_are[0] != both_are[1]:
      notes.append(
        f"{task}: {model.name} has {_counts(of_model)}, and {baseline.name}"
        f" {_counts(of_baseline)}."
      )
    return [both_are]
  both = [shots for shots in of_model if shots in of_baseline]
  if not both:
    raise UsageError(
      f"{model.where}: {task} has {_counts(of_model)}, and {baseline.where}"
      f" {_counts(of_baseline)}: none in common"
    )
  for one, own, other in (
    (model, of_model, of_baseline),
    (baseline, of_baseline, of_model),
  ):
    alone = [shots for shots in own if shots not in other]
    if alone:
      notes.append(f"Left out: {task} with {_counts(alone)}, of {one.name}.")
  return [(shots, shots) for shots in both]


def _counts(shots: Any) -> str:
  return " and ".join(
    "no prompt" if count is None else f"{count} shots" for count in shots
  )


def _pair(
  model: Predictions,
  baseline: Predictions,
  task: str,
  shots: tuple[Shots, Shots],
) -> Pair:
  of_model = model.tasks[task][shots[0]]
  of_baseline = baseline.tasks[task][shots[1]]
  _require_same(model, baseline, task, of_model, of_baseline)
  ids = list(of_baseline)
  scores_I, baseline_I = (
    np.array([_mean(said[name]) for name in ids])
    for said in (of_model, of_baseline)
  )
  difference_I = scores_I - baseline_I
  same_I = difference_I == 0
  return Pair(
    model.name,
    task,
    shots,
    len(ids),
    results.estimate(scores_I.tolist()),
    results.estimate(baseline_I.tolist()),
    items_lib.item_difference(scores_I, baseline_I),
    both=int((same_I & (scores_I >= 1)).sum()),
    only=int((difference_I > 0).sum()),
    only_baseline=int((difference_I < 0).sum()),
    neither=int((same_I & (scores_I <= 0)).sum()),
    alike=int((same_I & (scores_I > 0) & (scores_I < 1)).sum()),
    differing=_differing(ids, difference_I, scores_I, of_model, of_baseline),
  )


def _mean(draws: Mapping[int, Record]) -> float:
  return float(np.mean([record["score"] for record in draws.values()]))


def _require_same(
  model: Predictions,
  baseline: Predictions,
  task: str,
  of_model: PredictionsById,
  of_baseline: PredictionsById,
) -> None:
  """Raises UsageError unless both were asked the same items."""
  at, other = f"{model.where}: {task}", baseline.where
  if len(of_model) != len(of_baseline):
    raise UsageError(
      f"{at}: has {len(of_model)} items, and {other} {len(of_baseline)};"
      f" they must be the same items{_first_alone(of_model, of_baseline)}"
    )
  if set(of_model) != set(of_baseline):
    raise UsageError(
      f"{at}: has other items than {other}{_first_alone(of_model, of_baseline)}"
    )
  for name, draws in of_model.items():
    one = next(iter(draws.values()))
    two = next(iter(of_baseline[name].values()))
    for what, a, b in (
      ("right answer", examples.right(one), examples.right(two)),
      ("question", one.get("asked"), two.get("asked")),
    ):
      if a is not None and b is not None and a != b:
        raise UsageError(
          f"{at}: id {short(name)}: another {what} than in {other}: {short(a)}"
          f" and {short(b)}: other data"
        )


def _first_alone(
  of_model: PredictionsById, of_baseline: PredictionsById
) -> str:
  for which, one, two in (
    ("only", of_model, of_baseline),
    ("no", of_baseline, of_model),
  ):
    alone = [name for name in one if name not in two]
    if alone:
      shown = ", ".join(map(short, alone[:3]))
      return (
        f": {which} it has id {shown}"
        if which == "only"
        else (f": it has no id {shown}")
      )
  return ""


def _differing(
  ids: Sequence[str],
  difference_I: np.ndarray,
  scores_I: np.ndarray,
  of_model: PredictionsById,
  of_baseline: PredictionsById,
) -> tuple[tuple[Record, Record], ...]:
  """Largest differences first; those of equal scores last."""
  differing = []
  for number in np.argsort(-np.abs(difference_I), kind="stable"):
    name, difference = ids[number], difference_I[number]
    one, two = _drawn(
      of_model[name], of_baseline[name], float(np.sign(difference))
    )
    both_answers = examples.answer(one), examples.answer(two)
    wrong = (
      scores_I[number] < 1
      and None not in both_answers
      and both_answers[0] != both_answers[1]
    )
    if difference != 0 or wrong:
      differing.append((one, two))
  return tuple(differing)


def _drawn(
  of_model: Mapping[int, Record], of_baseline: Mapping[int, Record], sign: float
) -> tuple[Record, Record]:
  """Picks the draw that shows the difference best."""
  shared = [
    (of_model[draw], of_baseline[draw])
    for draw in of_model
    if draw in of_baseline
  ]
  shared = shared or [
    (next(iter(of_model.values())), next(iter(of_baseline.values())))
  ]
  return max(shared, key=lambda p: sign * (p[0]["score"] - p[1]["score"]))
