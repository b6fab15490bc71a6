"""Selects the best evaluation, and decides when to stop early."""

from __future__ import annotations

from collections.abc import Iterable


class Selection:
  """Values of a metric during a run; higher is better.

  Args:
    patience: stop after this many evaluations in a row without a better value;
      0: never.
    curve: earlier values, as (step, value).
  """

  def __init__(self, patience: int, curve: Iterable[tuple[int, float]] = ()):
    self.curve = [(int(step), float(value)) for step, value in curve]
    self._patience = patience

  def note(self, step: int, value: float) -> None:
    """Adds the value of an evaluation; drops older ones from its step on."""
    self.curve = [pair for pair in self.curve if pair[0] < step]
    self.curve.append((step, value))

  @property
  def best(self) -> int | None:
    """Step of the best value, the first of equal ones; None before any."""
    if not self.curve:
      return None
    return max(self.curve, key=lambda pair: (pair[1], -pair[0]))[0]

  @property
  def should_stop(self) -> bool:
    """Returns whether `patience` evaluations have brought no better value."""
    if not self._patience or self.best is None:
      return False
    since = sum(step > self.best for step, _ in self.curve)
    return since >= self._patience
