"""Tells how many seeds would show a difference, or exclude it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import grid_of
from lm_jax.report.blocks import Block, Heading, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import ALPHA, Pair
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.power import MOST_SEEDS, Goal, PairSpread, seeds_needed

CHANCE = 0.8


def spreads(experiment: Experiment, metric: str) -> dict[str, PairSpread]:
  """Reads the spread of each arm's difference to the baseline off its runs.

  Arms with fewer than MIN_SEEDS seeds in common with the baseline have none.
  """
  known: dict[str, PairSpread] = {}
  for arm in experiment.arms:
    if arm == experiment.baseline:
      continue
    pair = Pair.from_runs(experiment, metric, arm, experiment.baseline)
    if not pair.paired or min(map(len, pair.sides)) < MIN_SEEDS:
      continue
    grids = [grid_of(side, metric) for side in pair.sides]
    if grids[0].shape == grids[1].shape:
      known[arm] = PairSpread.from_pilot(*grids)
  return known


def blocks(
  spread_by_arm: Mapping[str, PairSpread],
  effect: float,
  metric: str,
  compared: int,
  origin: str,
) -> list[Block]:
  """Returns a table of the seeds that each arm's comparison needs.

  Args:
    spread_by_arm: of the difference to the baseline.
    effect: a difference, in the measure's shown unit.
    compared: number of comparisons, among which ALPHA is divided.
    origin: of the spreads, in words.
  """
  label = metrics_lib.get(metric)
  size = effect / label.scale
  alpha = ALPHA / max(1, compared)
  rows = []
  goals: tuple[Goal, ...] = ("show", "exclude")
  for arm, spread in spread_by_arm.items():
    cells = [arm, f"{label.scale * spread.deviation:.3g}"]
    for goal in goals:
      cells += [
        _count(one, size, goal, alpha)
        for one in ((spread, spread.upper()) if spread.df else (spread,))
      ]
    rows.append(tuple(cells))
  wide = any(spread.df for spread in spread_by_arm.values())
  columns = ("seeds to show it", "seeds to exclude it")
  head = ["arm", "spread of a seed"]
  for column in columns:
    head += [column, "cautious"] if wide else [column]
  many = f"each of {compared} comparisons" if compared > 1 else "one comparison"
  unit = "points" if label.unit == "%" else label.unit
  texts = [
    f"A difference of {effect:g} {unit} in {label.label}; the spread is"
    f" {origin}. Seeds an arm for a chance of {100 * CHANCE:g} %, at"
    f" {alpha:.2g} for {many}."
  ]
  if wide:
    texts.append(
      "Cautious: by a spread that the pilot runs' own exceeds in one of five"
      " cases."
    )
  if never := _never(spread_by_arm, size, alpha, label.scale):
    texts.append(never)
  return [
    Heading("Seeds that are needed"),
    Table(tuple(head), tuple(rows)),
    *map(Text, texts),
  ]


def _never(
  spread_by_arm: Mapping[str, PairSpread],
  size: float,
  alpha: float,
  scale: float,
) -> str:
  """Says what no number of seeds can show; "" if there is no such arm."""
  from scipy import stats

  errors = [spread.items_error for spread in spread_by_arm.values()]
  needed = stats.norm.isf(alpha / 2) + stats.norm.isf(1 - CHANCE)
  least = [float(needed * error) for error in errors]
  if not least or max(least) < size:
    return ""
  items = max(spread.items for spread in spread_by_arm.values())
  return (
    f"Never: the {items} items leave a standard error of"
    f" {_range(scale, errors)}, however many seeds there are, so that no"
    f" difference below {_range(scale, least)} is shown. More items would."
  )


def _range(scale: float, values: Sequence[float]) -> str:
  ends = [f"{scale * value:.2g}" for value in (min(values), max(values))]
  return " to ".join(dict.fromkeys(ends))


def _count(spread: PairSpread, size: float, goal: Goal, alpha: float) -> str:
  seeds = seeds_needed(spread, size, goal, CHANCE, alpha)
  if seeds is None:
    # More seeds don't help where other items would change the answer.
    return "never" if spread.items_error else f"> {MOST_SEEDS}"
  return str(seeds)
