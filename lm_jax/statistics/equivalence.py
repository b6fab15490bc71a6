"""Verdicts on a difference: better, worse, equivalent, or none of them.

"Not shown to differ" is never "the same": that is shown by two one-sided tests
against a margin that was stated before. Both kinds of claim come from the same
limits as the report's interval (`differences.difference_limits`), each kind
corrected by Holm over the family of comparisons, and each for the looks at an
experiment (`sequential`), if it has several.
Source: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987), for two
one-sided tests; Lakens, Social Psychological and Personality Science 8 (2017),
for verdicts by both tests.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from lm_jax.statistics import items as items_lib
from lm_jax.statistics.differences import Limits, two_sided_p
from lm_jax.statistics.sequential import (
  Spending,
  levels,
  obrien_fleming,
  sequential_p,
)

Direction = Literal["two-sided", "higher", "lower"]
DIRECTIONS: tuple[Direction, ...] = ("two-sided", "higher", "lower")
Kind = Literal["better", "worse", "equivalent", "inconclusive"]


@dataclasses.dataclass(frozen=True)
class Comparison:
  """A difference, arm minus baseline, with its limits at any alpha.

  limits: None where no test can be made (few seeds, or no spread at all).
  """

  value: float
  limits: Limits | None = None


@dataclasses.dataclass(frozen=True)
class Verdict:
  """The claim that may be made of a comparison.

  kind: "equivalent" goes before "better" and "worse": a difference that is
    shown to be there, and shown to be smaller than the margin.
  sign: 1 or -1 where the difference is shown to be above or below 0, else 0.
  p, p_equivalence: of both kinds of claim, corrected; None without a test.
  level: alpha of the two-sided interval that decides on a difference at the
    latest look, after all corrections; None without a test.
  """

  kind: Kind
  sign: int = 0
  p: float | None = None
  p_equivalence: float | None = None
  level: float | None = None


def one_sided_p(comparison: Comparison, bound: float) -> float | None:
  """Returns the p value of "the difference is at most `bound`".

  It is the least alpha at which the lower limit of the interval of level
  1 - 2 alpha is above the bound. That of "at least" is 1 minus it.
  """
  if comparison.limits is None:
    return None
  p = two_sided_p(comparison.limits, comparison.value, bound)
  return p / 2 if comparison.value > bound else 1 - p / 2


def tost(comparison: Comparison, margin: float) -> float | None:
  """Returns the p value of "the difference is not within -+ margin".

  The larger of both one-sided p values; below alpha exactly where the interval
  of level 1 - 2 alpha lies within the margin.
  Source: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987).
  """
  above = one_sided_p(comparison, -margin)
  below = one_sided_p(comparison, margin)
  if above is None or below is None:
    return None
  return max(above, 1 - below)


def verdicts(
  family: Sequence[Sequence[Comparison]],
  margin: float | None = None,
  higher_better: bool = True,
  direction: Direction = "two-sided",
  looks: tuple[int, ...] = (1,),
  alpha: float = 0.05,
  spending: Spending = obrien_fleming,
) -> list[Verdict]:
  """Returns a verdict on each comparison of a family.

  Two-sided: p = 2 min(p_above, p_below), each for all looks together; of a
  direction its own one-sided p, and the other one is never claimed. Claims of
  a difference are one family for Holm's correction, claims of equivalence
  another: of one comparison only one of both can be false.

  Args:
    family: for each comparison its looks so far, the last one the latest.
    margin: the smallest effect, in the unit of the differences; None for no
      claims of equivalence.
    higher_better: of the measure.
    direction: of the claim that was stated before.
    looks: the seeds at each look, those to come as well.
    alpha: of each kind of claim, for the whole family and all looks.
    spending: as for `sequential.levels`.
  """
  above, below, same = [], [], []
  for comparisons in family:
    up = [one_sided_p(one, 0.0) for one in comparisons]
    down = [None if p is None else 1 - p for p in up]
    above.append(sequential_p(up, looks, spending))
    below.append(sequential_p(down, looks, spending))
    inside = [tost(one, margin) if margin else None for one in comparisons]
    same.append(sequential_p(inside, looks, spending))
  sides = [_side(*both, direction) for both in zip(above, below, strict=True)]
  differ = items_lib.holm([p for _, p in sides])
  equal = items_lib.holm(same)
  alphas = items_lib.holm_alphas([p for _, p in sides], alpha)
  result = []
  for (sign, _), comparisons, p, q, own in zip(
    sides, family, differ, equal, alphas, strict=True
  ):
    shown = sign if p is not None and p < alpha else 0
    kind: Kind = "inconclusive"
    if shown:
      kind = "better" if (shown > 0) == higher_better else "worse"
    if q is not None and q < alpha:
      kind = "equivalent"
    level = None
    if own is not None:
      tail = own / 2 if direction == "two-sided" else own
      level = 2 * levels(tail, looks, spending)[len(comparisons) - 1]
    result.append(Verdict(kind, shown, p, q, level))
  return result


def _side(
  above: float | None, below: float | None, direction: Direction
) -> tuple[int, float | None]:
  """Returns the side that may be claimed, and the p value of that claim."""
  if above is None or below is None:
    return 0, None
  if direction == "higher":
    return 1, above
  if direction == "lower":
    return -1, below
  sign = 1 if above < below else -1
  return sign, min(1.0, 2 * min(above, below))
