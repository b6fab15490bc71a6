"""Decides what came of a claim: from intervals, never from a lone p value.

An order is reproduced where the interval of the difference leaves out 0 on the
claimed side, opposite on the other side, and equivalent where two one-sided
tests show the difference to be smaller than the smallest effect. A number is
reproduced where its interval lies within the tolerance, and different where it
lies outside. Anything else is inconclusive: that a difference is not shown
does not make it small.
"""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.statistics import equivalence
from lm_jax.statistics.equivalence import Comparison

REPRODUCED, OPPOSITE = "reproduced", "opposite"
EQUIVALENT, DIFFERENT = "equivalent", "different"
INCONCLUSIVE, NOT_RUN = "inconclusive", "not run here"
VERDICTS = (
  *(REPRODUCED, OPPOSITE, EQUIVALENT, DIFFERENT, INCONCLUSIVE, NOT_RUN),
)
ALPHA = 0.05

Interval = tuple[float, float] | None


def interval(comparison: Comparison, alpha: float = ALPHA) -> Interval:
  """Returns the limits of a difference at 1 - alpha; None where it has none."""
  return comparison.limits and comparison.limits(alpha)


def order(
  comparison: Comparison,
  margin: float,
  alpha: float = ALPHA,
  less: bool = False,
) -> str:
  """Returns the verdict on an order of two arms.

  Args:
    comparison: the arm that is claimed to be better, minus the other one.
    margin: the smallest effect, in the unit of the difference.
    alpha: of each test; ALPHA / m where a claim is made of m orders, so that
      the chance of any false verdict on them is ALPHA (Bonferroni).
    less: whether less of the measure is better.
  """
  ends = interval(comparison, alpha)
  if ends is None:
    return INCONCLUSIVE
  low, high = (-ends[1], -ends[0]) if less else ends
  if low > 0:
    return REPRODUCED
  if high < 0:
    return OPPOSITE
  p = equivalence.tost(comparison, margin)
  return EQUIVALENT if p is not None and p < alpha else INCONCLUSIVE


def number(ends: Interval, value: float, tolerance: float) -> str:
  """Returns the verdict on a number that was published.

  ends: of our interval.
  """
  if ends is None:
    return INCONCLUSIVE
  low, high = ends
  if value - tolerance <= low and high <= value + tolerance:
    return REPRODUCED
  outside = high < value - tolerance or low > value + tolerance
  return DIFFERENT if outside else INCONCLUSIVE


def computed(ours: float, value: float, tolerance: float) -> str:
  """Returns the verdict on a number that has no spread.

  tolerance: as a share of the value.
  """
  near = abs(ours - value) <= tolerance * abs(value)
  return REPRODUCED if near else DIFFERENT


def together(verdicts: Sequence[str]) -> str:
  """Returns the verdict on a claim of several parts.

  It is reproduced, or equivalent, if every part is; opposite, or different, if
  one part is.
  """
  if len(set(verdicts)) == 1:
    return verdicts[0]
  for strongest in (OPPOSITE, DIFFERENT):
    if strongest in verdicts:
      return strongest
  return INCONCLUSIVE
