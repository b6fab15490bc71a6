"""The heat map of minimal pairs: arms by phenomena."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.report import floor, tables
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.blocks import Block, Heat, Text
from lm_jax.report.compare import Analysis

PARTS = "minimal_pairs/"


def _head(analysis: Analysis, name: str) -> str:
  """The kind of pairs, or their script, and how many there are."""
  label = metrics_lib.get(name).label.removeprefix("pairs: ")
  count = floor.items_of(analysis.experiment, name)
  return f"{label} ({count})" if count else label


def blocks(analysis: Analysis, measured: Sequence[str]) -> list[Block]:
  """Shows each arm's accuracy on each kind of pairs; [] without any.

  Args:
    measured: names of metrics.
  """
  names = [name for name in measured if name.startswith(PARTS)]
  if not names:
    return []
  known = [
    arm.metrics[name].value
    for arm in analysis.arms
    for name in names
    if name in arm.metrics
  ]
  low, high = min(known), max(known)

  def share(value: float) -> float:
    return (value - low) / (high - low) if high > low else 1.0

  rows = tuple(
    (
      arm.name,
      *(tables.interval(name, arm.metrics.get(name)) for name in names),
    )
    for arm in analysis.arms
  )
  shares = tuple(
    tuple(
      share(arm.metrics[name].value) if name in arm.metrics else None
      for name in names
    )
    for arm in analysis.arms
  )
  heads = (_head(analysis, name) for name in names)
  ends = (metrics_lib.show(names[0], end) for end in (low, high))
  chance = metrics_lib.show(names[0], metrics_lib.get(names[0]).chance)
  text = (
    "Minimal pairs by what was changed in the sentence, accuracy in % with 95 %"
    f" intervals; colours from {' to '.join(ends)}, the lighter the better."
    f" Chance is {chance}. No difference here is tested."
  )
  return [Heat(("arm", *heads), rows, shares=shares), Text(text)]
