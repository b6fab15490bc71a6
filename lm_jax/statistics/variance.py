"""Parts the spread of scores by its causes: kinds of seeds, and items.

An experiment crosses or nests seeds of several kinds (`--seeds`), with one run
in each cell. Its scores are

  y = mean + sum over kinds of an effect of its seed + what is left,

with independent normal effects. The mean squares of an analysis of variance
estimate the variances of the effects (Searle, Casella and McCulloch 1992,
Variance Components, chapter 4), and intervals follow from their distribution,
without any large sample (Weerahandi 1993, JASA 88, generalized confidence
intervals; Burdick, Borror and Montgomery 2005, section 3.3).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from lm_jax.statistics.estimates import Array, Estimate

# Draws behind an interval; its ends move by less than a point between two sets.
_DRAWS = 20_000
REST, ITEMS = "rest", "items"


@dataclasses.dataclass(frozen=True)
class Component:
  """A cause of the spread.

  variance: of the score of one run, by this cause; in squared units of it.
  share: of all variance, between 0 and 1.
  df: degrees of freedom behind the estimate.
  """

  cause: str
  variance: Estimate
  share: Estimate
  df: int


def components(
  groups: Sequence[tuple[Array, Sequence[Mapping[str, int]]]],
  kinds: Sequence[str],
  level: float = 0.95,
  seed: int = 0,
  draws: int = _DRAWS,
) -> list[Component]:
  """Estimates what each kind of seeds, and the items, add to the spread.

  Negative estimates are set to 0, as usual; their intervals begin there.

  Args:
    groups: one for each arm, which has a mean of its own: scores [R, I] of
      runs and items (I = 1 where there are none), and the seeds of each run
      by kind.
    kinds: of seeds, in the order in which they are nested, if they are. A
      kind with one value in a group has no effect there.
    level: of the intervals.
    seed: of the draws behind them.
    draws: how many.

  Returns:
    A component for each kind that varies, then REST (interactions of the
    kinds, and the noise of single scores) where the design has any degrees of
    freedom left for it, then ITEMS where there are several. [] if nothing
    varies.
  """
  kinds = [
    kind
    for kind in kinds
    if any(len({s[kind] for s in seeds}) > 1 for _, seeds in groups)
  ]
  rows, squares, dfs = _mean_squares(groups, kinds)
  if not rows:
    return []
  # Without degrees of freedom of its own, REST is in the last kind's.
  names = [*kinds, REST][: len(dfs)]
  solve = np.linalg.inv(np.array(rows)[:, : len(dfs)])
  item_square, item_noise, item_df, runs = _items(groups)
  rng = np.random.default_rng(seed)
  mean_squares = np.array(squares)
  scaled = mean_squares * dfs / rng.chisquare(dfs, (draws, len(dfs)))
  estimates = [float(x) for x in np.maximum(solve @ mean_squares, 0)]
  drawn = list(np.maximum(scaled @ solve.T, 0).T)
  counts = list(dfs)
  if item_df:
    estimates.append(max(0.0, (item_square - item_noise) / runs))
    square = item_square * item_df / rng.chisquare(item_df, draws)
    drawn.append(np.maximum((square - item_noise) / runs, 0))
    names, counts = [*names, ITEMS], [*counts, item_df]
  whole, whole_drawn = sum(estimates), np.sum(drawn, axis=0)
  ends = 50 * (1 - level), 50 * (1 + level)
  result = []
  for name, value, draw, df in zip(
    names, estimates, drawn, counts, strict=True
  ):
    low, high = np.percentile(draw, ends)
    part = np.divide(
      draw, whole_drawn, out=np.zeros(draws), where=whole_drawn > 0
    )
    first, last = np.percentile(part, ends)
    share = value / whole if whole else 0.0
    result.append(
      Component(
        name,
        Estimate(value, float(low), float(high), n=df + 1),
        Estimate(share, float(first), float(last), n=df + 1),
        int(df),
      )
    )
  return result


def _mean_squares(
  groups: Sequence[tuple[Array, Sequence[Mapping[str, int]]]],
  kinds: Sequence[str],
) -> tuple[list[list[float]], list[float], list[int]]:
  """Pools the analyses of all groups.

  Returns:
    For each source of variation the coefficients of the expected mean square
    (kinds, then the rest), the mean square, and its degrees of freedom.
  """
  sums: dict[int, tuple[np.ndarray, float, int]] = {}
  for scores_RxI, seeds in groups:
    y_R = np.asarray(scores_RxI, np.float64).mean(1)
    indicators = [_indicators([s[kind] for s in seeds]) for kind in kinds]
    explained = np.ones((len(y_R), 1))
    for source in range(len(kinds) + 1):
      if source < len(kinds):
        wider = np.hstack([explained, indicators[source]])
      else:
        wider = np.eye(len(y_R))
      q = _orthonormal(wider, explained)
      if not q.shape[1]:
        continue
      traces = [float(((q.T @ z) ** 2).sum()) for z in indicators]
      row, square, df = sums.get(source, (np.zeros(len(kinds) + 1), 0.0, 0))
      sums[source] = (
        row + np.array([*traces, q.shape[1]]),
        square + float(((q.T @ y_R) ** 2).sum()),
        df + q.shape[1],
      )
      explained = wider
  # Scores that agree to the last bit carry no information on their spread.
  largest = max(float(np.abs(scores).max()) for scores, _ in groups)
  least = (1e-12 * max(1.0, largest)) ** 2
  pooled = [sums[source] for source in sorted(sums)]
  rows = [list(row / df) for row, _, df in pooled]
  squares = [s / df if s / df > least else 0.0 for _, s, df in pooled]
  return rows, squares, [df for *_, df in pooled]


def _orthonormal(wider: np.ndarray, explained: np.ndarray) -> np.ndarray:
  """A basis of what `wider` spans and `explained` does not: [R, df]."""
  rest = wider - explained @ np.linalg.lstsq(explained, wider, rcond=None)[0]
  u, size, _ = np.linalg.svd(rest, full_matrices=False)
  return u[:, size > 1e-9 * max(1.0, size.max(initial=0.0))]


def _indicators(levels: Sequence[int]) -> np.ndarray:
  """One-hot seeds of each run: float [R, number of seeds]."""
  _, index = np.unique(np.asarray(levels), return_inverse=True)
  return np.eye(index.max() + 1)[index]


def _items(
  groups: Sequence[tuple[Array, Sequence[Mapping[str, int]]]],
) -> tuple[float, float, int, float]:
  """Mean square of items and of their noise, both for the mean of all items.

  Returns:
    the mean squares, degrees of freedom (0 for scores without items), and runs.
  """
  shapes = {np.shape(scores) for scores, _ in groups}
  if any(items < 2 for _, items in shapes):
    return 0.0, 0.0, 0, 1.0
  square = noise = 0.0
  df = rest = 0
  for scores, _ in groups:
    y_RxI = np.asarray(scores, np.float64)
    runs, items = y_RxI.shape
    by_item = y_RxI.mean(0) - y_RxI.mean()
    square += runs * float((by_item**2).sum()) / items
    df += items - 1
    if runs > 1:
      left = y_RxI - y_RxI.mean(1, keepdims=True) - by_item
      noise += float((left**2).sum()) / items
      rest += (runs - 1) * (items - 1)
  mean_runs = float(np.mean([runs for runs, _ in shapes]))
  return square / df, noise / rest if rest else 0.0, df, mean_runs
