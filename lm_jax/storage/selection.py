"""Which evaluation was the best, and when later ones are in vain."""

from __future__ import annotations

from collections.abc import Iterable


class Selection:
  """The values of a metric along a run; higher is better.

  Args:
    patience: evaluations in a row without a better value that are enough; 0:
      none are.
    curve: what was noted before, (step, value) each.
  """

  def __init__(self, patience: int, curve: Iterable[tuple[int, float]] = ()):
    self.curve = [(int(step), float(value)) for step, value in curve]
    self._patience = patience

  def note(self, step: int, value: float) -> None:
    """Of an evaluation; one that is made again replaces its former value."""
    self.curve = [pair for pair in self.curve if pair[0] < step]
    self.curve.append((step, value))

  @property
  def best(self) -> int | None:
    """The step of the best value, the first of equal ones; None before any."""
    if not self.curve:
      return None
    return max(self.curve, key=lambda pair: (pair[1], -pair[0]))[0]

  @property
  def enough(self) -> bool:
    """Have so many evaluations been no better than one before them?"""
    if not self._patience or self.best is None:
      return False
    since = sum(step > self.best for step, _ in self.curve)
    return since >= self._patience
