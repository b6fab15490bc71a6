"""The tuning of arms before they were compared, and who has no rank for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.metrics import amount, show
from lm_jax.support.typed_json import as_kind


@dataclasses.dataclass(frozen=True)
class Tuned:
  """The tuning of an arm, as experiment.json has it.

  measure: by which trials were judged.
  flops: that they have spent.
  trials: a value of each, None of one that has none.
  chosen: values by option.
  best: [trials, median, low, high] of the best found, over studies.
  boundary: options whose optimum may lie beyond their range.
  """

  measure: str
  flops: float
  trials: tuple[float | None, ...]
  chosen: Mapping[str, str]
  best: tuple[tuple[float, float, float, float], ...]
  boundary: tuple[str, ...]


def read(about: Mapping[str, Any]) -> dict[str, Tuned]:
  """Reads "tuning" of an experiment.json, by arm; {} where it has none.

  Raises:
    UsageError: it holds something else.
  """
  tuning = about.get("tuning")
  if not isinstance(tuning, dict):
    return {}
  arms = as_kind(tuning.get("arms", {}), dict[str, dict[str, Any]], "tuning")
  tuned = {}
  for arm, own in arms.items():
    where = f"tuning: {arm}"
    trials = as_kind(own.get("trials", []), list[dict[str, Any]], where)
    best = as_kind(own.get("best", []), list[list[float]], f"{where}: best")
    tuned[arm] = Tuned(
      as_kind(own.get("measure", ""), str, f"{where}: measure"),
      float(own.get("flops") or 0),
      tuple(trial.get("score") for trial in trials),
      as_kind(own.get("chosen", {}), dict[str, str], f"{where}: chosen"),
      tuple((n, y, low, high) for n, y, low, high in best),
      tuple(as_kind(own.get("boundary", []), list[str], f"{where}: boundary")),
    )
  return tuned


def unranked(about: Mapping[str, Any]) -> dict[str, str]:
  """Returns the arms that get no rank, with the reason."""
  return {
    arm: "boundary: the best "
    + " and ".join(path.rpartition(".")[2] for path in own.boundary)
    + " may lie beyond the range that was tried"
    for arm, own in read(about).items()
    if own.boundary
  }


def blocks(about: Mapping[str, Any]) -> list[Block]:
  """Shows what each arm tried, what was chosen, and what it cost."""
  tuned = read(about)
  if not tuned:
    return []
  rows = []
  for arm, own in tuned.items():
    chosen = ", ".join(
      f"{path.rpartition('.')[2]} {value}" for path, value in own.chosen.items()
    )
    label = metrics_lib.get(own.measure).label
    best = show(own.measure, own.best[-1][1]) if own.best else "–"
    edges = ", ".join(path.rpartition(".")[2] for path in own.boundary)
    rows.append(
      (
        *(arm, f"{len(own.trials)}", label, best),
        *(chosen or "–", edges or "–", amount(own.flops, "flops")),
      )
    )
  head = ("arm", "trials", "judged by", "best", "chosen", "at the edge")
  content: list[Block] = [Table((*head, "FLOPs"), tuple(rows), (0, 2, 4, 5))]
  content.append(Text(_words(about["tuning"])))
  for arm, why in unranked(about).items():
    content.append(
      Text(f"{arm} is not ranked. {why[0].upper()}{why[1:]}.", strong=True)
    )
  return content


def _words(tuning: Mapping[str, Any]) -> str:
  space = ", ".join(map(str, tuning.get("space", [])))
  points = (
    "the same points for every arm"
    if tuning.get("sampler") == "sobol"
    else "points that adapt to each study's own trials"
  )
  return (
    f"Before the comparison every arm had {tuning.get('studies')} studies of"
    f" {tuning.get('trials')} trials in {space}: {points}, judged by validation"
    " data alone. Best and chosen are those of the median study; the seeds of"
    " trials are not those of the comparison."
  )
