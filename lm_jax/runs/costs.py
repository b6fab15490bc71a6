"""Tells what an experiment will cost before anything of it is run.

Parameters, steps and FLOPs follow from the configurations; the time of a step
is that of a few steps of each shape, which are taken on this machine and
forgotten.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import branches as branches_lib
from lm_jax.planning.chips import CHIPS
from lm_jax.report import blocks, collect, metrics, power
from lm_jax.report.arms import tested
from lm_jax.report.metrics import amount
from lm_jax.runs import attempt, pilot, record, spends
from lm_jax.runs.comparison import Comparison
from lm_jax.runs.trial import has_ended
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.power import PairSpread
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.training.progress import duration

# Of an experiment whose file names none, before any run is complete.
DEFAULT_MEASURE = "minimal_pairs"
# Settings that change neither the work of a step nor its shapes.
_SAME_STEP = frozenset(
  {"optimizer.learning_rate", "optimizer.schedule", "optimizer.warmup"}
  | {"optimizer.final", "optimizer.decay", "budget", "branches", "seed"}
  | {"name", "arm", "workdir", "data.unique"}
)


@dataclasses.dataclass(frozen=True)
class Cost:
  """The cost of an arm.

  runs, left: all of them, and those that are not complete.
  trials: that tune the arm, and have not ended; those that a rung has stopped
    have.
  one: of a run.
  branch_flops: of the branches of a run, in FLOPs.
  """

  arm: str
  runs: int
  left: int
  trials: int
  one: pilot.Arm
  branch_flops: float

  @property
  def share(self) -> float:
    """The cost of a run with its branches, by that without."""
    return 1 + self.branch_flops / self.one.total("flops")

  @property
  def disk(self) -> float:
    """Bytes of the checkpoints that a run leaves behind."""
    config = self.one.config
    every = config.checkpoint_every
    kept = config.keep_last if every and self.one.steps > every else 1
    if config.keep_every:
      kept += int(self.one.steps // config.keep_every)
    return self.one.state * (kept + len(branches_lib.parse(config)))


def of_arms(comparison: Comparison) -> list[Cost]:
  """Counts and times the arms of an experiment; writes nothing.

  Arms whose steps do the same work are timed once.
  """
  timed: dict[str, pilot.Arm] = {}
  own: dict[str, pilot.Arm] = {}
  for config in comparison.configs:
    if config.arm in own:
      continue
    key = _shape(config)
    if key not in timed:
      timed[key] = pilot.measure(dataclasses.replace(config, branches=""))
    one = timed[key]
    own[config.arm] = pilot.arm(config, one.cost, one.parameters, one.state)
  if any(map(spends.is_open, comparison.configs)):
    for arm, branches in spends.work_out(own).items():
      config = dataclasses.replace(own[arm].config, branches=branches)
      own[arm] = dataclasses.replace(own[arm], config=config)
  return [_cost(comparison, arm, one) for arm, one in own.items()]


def _shape(config: Config) -> str:
  """Identifies the work of a step."""
  flat = config_lib.flat(config)
  kept = {
    path: value
    for path, value in flat.items()
    if path not in _SAME_STEP and not path.startswith("seed.")
  }
  return json.dumps(kept, sort_keys=True, default=str)


def _cost(comparison: Comparison, arm: str, one: pilot.Arm) -> Cost:
  runs = [config for config in comparison.configs if config.arm == arm]
  tuning = comparison.tuning
  new = sum(not has_ended(c) for c in tuning.due([arm])) if tuning else 0
  left = [config for config in runs if not attempt.is_complete(config)]
  decay = one.config.optimizer.decay
  flops = sum(
    decay * budget.amount / one.cost[budget.currency] * one.cost["flops"]
    for budget in branches_lib.parse(one.config)
  )
  return Cost(arm, len(runs), len(left), new, one, flops)


def report(
  comparison: Comparison,
  chip: str = "",
  effect: float = 0.0,
  spread: float = 0.0,
) -> list[blocks.Block]:
  """Returns what an experiment costs, as blocks.

  Args:
    chip: of planning/chips.py, whose time is told, too.
    effect: a difference in the measure's shown unit, for which the seeds are
      told that would show or exclude it; 0: none.
    spread: the standard deviation of a seed's difference, in that unit; 0: as
      the runs that are complete have it.

  Raises:
    UsageError: there is no such chip, or no spread is known.
  """
  if chip and chip not in CHIPS:
    raise registry.unknown("--chip", chip, CHIPS)
  needed = _seeds_needed(comparison, effect, spread) if effect else []
  costs = of_arms(comparison)
  head = ["arm", "runs", "parameters", "steps", "FLOPs", "a step", "a run"]
  head += [f"on one {chip}"] if chip else []
  rows = []
  for cost in costs:
    one = cost.one
    seconds = one.cost["seconds"]
    row = [
      *(cost.arm, f"{cost.runs}", amount(one.parameters, "parameters")),
      *(f"{one.steps:,.0f}", amount(one.total("flops"), "flops")),
      *(f"{1e3 * seconds:.3g} ms", duration(cost.share * one.total("seconds"))),
    ]
    if chip:
      least = cost.share * one.total("flops") / CHIPS[chip].flops
      row.append(f"> {_short(least)}")
    rows.append(tuple(row))
  return [
    blocks.Heading(f"{comparison.flags.name}: a plan; nothing is run"),
    blocks.Table((*head, "disk"), _with_disk(rows, costs)),
    *map(blocks.Text, _sentences(comparison, costs, chip)),
    *needed,
  ]


def _seeds_needed(
  comparison: Comparison, effect: float, spread: float
) -> list[blocks.Block]:
  arms = dict.fromkeys(config.arm for config in comparison.configs)
  others = [arm for arm in arms if arm != comparison.baseline]
  metric = getattr(comparison.module, "PRIMARY", "")
  if spread:
    metric = metric or DEFAULT_MEASURE
    scale = metrics.get(metric).scale
    stated = PairSpread(spread / scale)
    known, origin = {"any": stated}, "as stated"
  else:
    known, origin = {}, "that of the runs that are complete"
    if pathlib.Path(comparison.directory, record.FILE).exists():
      experiment = collect.load(comparison.directory).independent()
      metric = metric or tested(experiment) or ""
      known = power.spreads(experiment, metric) if metric else {}
    if not known:
      raise UsageError(
        f"--effect={effect:g}: the spread over seeds is not known:"
        f" {comparison.directory} has no {MIN_SEEDS} seeds of the baseline and"
        " another arm; run a pilot there (--seeds=3), or state it, in the unit"
        " of the measure: --spread=1.5"
      )
  return power.blocks(known, effect, metric, len(others), origin)


def _with_disk(
  rows: Sequence[tuple[str, ...]], costs: Sequence[Cost]
) -> tuple[tuple[str, ...], ...]:
  return tuple(
    (*row, _size(cost.disk)) for row, cost in zip(rows, costs, strict=True)
  )


def _sentences(
  comparison: Comparison, costs: Sequence[Cost], chip: str
) -> list[str]:
  runs, left = (sum(getattr(c, n) for c in costs) for n in ("runs", "left"))
  flops = sum(c.runs * c.share * c.one.total("flops") for c in costs)
  branch = sum(c.runs * c.branch_flops for c in costs)
  hours = sum(c.left * c.share * c.one.total("seconds") for c in costs)
  disk = sum(c.runs * c.disk for c in costs)
  parts = [f"{runs} runs, {amount(flops, 'flops')} FLOPs"]
  if branch:
    parts.append(f"of which {100 * branch / flops:.1f} % for branches")
  done = f" ({runs - left} are complete)" if left < runs else ""
  texts = [
    f"In all {', '.join(parts)}; {_size(disk)} of checkpoints.",
    f"{left} runs are to be made{done}: about {duration(hours)} of training"
    " on this machine, one after another. Compiling and measuring come on"
    " top; --parallel may take less.",
  ]
  if trials := sum(c.trials for c in costs):
    spent = sum(c.trials * c.one.total("flops") for c in costs)
    more = sum(c.trials * c.one.total("seconds") for c in costs)
    most = ", at most" if comparison.flags.rungs else ""
    texts.append(
      f"Tuning comes first: {trials} trials{most}, {amount(spent, 'flops')}"
      f" FLOPs, about {duration(more)}."
    )
  if chip:
    least = sum(c.left * c.share * c.one.total("flops") for c in costs)
    texts.append(
      f"On one {chip} at least {_short(least / CHIPS[chip].flops)}: products"
      " at its peak, which no run reaches."
    )
  return texts


def _short(seconds: float) -> str:
  """Formats a duration, of less than a second, too."""
  return duration(seconds) if seconds >= 1 else f"{1e3 * seconds:.2g} ms"


def _size(count: float) -> str:
  for unit in ("B", "kB", "MB", "GB"):
    if count < 1000:
      return f"{count:.3g} {unit}"
    count /= 1000
  return f"{count:.3g} TB"
