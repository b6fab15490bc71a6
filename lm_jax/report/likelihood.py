"""One column of bits per byte: "=" exact, "≤" a bound from above.

A p value compares two exact values only. A bound that lies below an exact
value decides; the other way round it says nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.report import compare
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.arms import estimates_of
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import ALPHA, Analysis, Pair
from lm_jax.report.metrics import BITS, BOUND, p_value
from lm_jax.report.run import Run
from lm_jax.report.subject import listed
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.differences import MIN_SEEDS
from lm_jax.statistics.estimates import Estimate
from lm_jax.support.errors import UsageError
from lm_jax.support.typed_json import as_kind


@dataclasses.dataclass(frozen=True)
class _Facts:
  """The field `likelihood` of result.json; older results have none."""

  estimator: str = ""
  standard_error: float | None = None
  lengths: float | None = None
  unknown: float | None = None
  unknown_bits: float | None = None

  @classmethod
  def from_run(cls, run: Run) -> _Facts:
    with contextlib.suppress(UsageError):
      return as_kind(run.raw.get("likelihood") or {}, cls, "likelihood")
    return cls()


@dataclasses.dataclass(frozen=True)
class BitsPerByte:
  """An arm's bits per byte, means over its seeds.

  exact: whether it is a likelihood; else a bound from above.
  error: standard error of a bound over draws of masks, given the text. Seeds
    share their masks, so that a mean over seeds has the error of one. None
    where it was not kept.
  lengths: bits that telling the lengths of the pieces would take at most,
    which a bound is given and does not pay for.
  unknown: share of the text's tokens that are [UNK].
  unknown_bits: bits per byte that spell these; 0 in older results, whose
    values are too low by it.
  """

  arm: str
  exact: bool
  estimate: Estimate
  error: float | None = None
  lengths: float = 0.0
  unknown: float = 0.0
  unknown_bits: float = 0.0
  estimators: tuple[str, ...] = ()

  @property
  def sign(self) -> str:
    if self.unknown and not self.unknown_bits:
      return "≥" if self.exact else "?"
    return "=" if self.exact and not self.unknown else "≤"

  def pays_as(self, other: BitsPerByte) -> bool:
    """Tells whether two arms pay the same for the same unknown tokens."""
    mine, theirs = ((arm.unknown, arm.unknown_bits) for arm in (self, other))
    return bool(np.allclose(mine, theirs, rtol=1e-6))

  def text(self, intervals: bool = True) -> str:
    """Formats = 2.13 [2.10, 2.16], or ≤ 2.31 [2.25, 2.37] ± 0.01."""
    shown = self.estimate
    ends = (shown.low, shown.high) if intervals else (None, None)
    text = f"{self.sign} {metrics_lib.interval(shown.value, *ends)}"
    if self.error:
      text += f" ± {metrics_lib.number(self.error)}"
    return text


# Columns of results.csv: of a bound, its standard error and the lengths that it
# does not pay for, in bits per byte.
COLUMNS = {
  "bits_per_byte_estimator": "estimator",
  f"{BOUND}_error": "standard_error",
  f"{BOUND}_lengths": "lengths",
}


def columns(run: Run) -> dict[str, Any]:
  """Returns the cells of COLUMNS of a run; None where it has none."""
  facts = _Facts.from_run(run)
  return {
    name: getattr(facts, field) or None for name, field in COLUMNS.items()
  }


def _joined(experiment: Experiment) -> Experiment:
  """Returns it with a run's bound in the place of an exact value."""
  return dataclasses.replace(
    experiment,
    runs=tuple(
      dataclasses.replace(
        run, metrics={**run.metrics, BITS: run.metrics[BOUND]}
      )
      if BOUND in run.metrics
      else run
      for run in experiment.runs
    ),
  )


def of_arms(experiment: Experiment) -> dict[str, BitsPerByte]:
  """Bits per byte of the arms that have a likelihood or a bound on it."""
  joined = _joined(experiment)
  measured = {}
  for arm, estimate in estimates_of(joined, BITS).items():
    runs = joined.with_metric(BITS, arm)
    facts = [_Facts.from_run(run) for run in runs]
    names = dict.fromkeys(fact.estimator for fact in facts if fact.estimator)
    exact = not any(BOUND in run.metrics for run in runs)
    errors = [fact.standard_error for fact in facts]
    known = [error for error in errors if error is not None]
    whole = not exact and len(known) == len(errors)
    measured[arm] = BitsPerByte(
      arm,
      exact,
      estimate,
      error=float(np.mean(known)) if whole else None,
      lengths=float(np.mean([fact.lengths or 0.0 for fact in facts])),
      unknown=float(np.mean([fact.unknown or 0.0 for fact in facts])),
      unknown_bits=float(np.mean([fact.unknown_bits or 0.0 for fact in facts])),
      estimators=tuple(names),
    )
  return measured


@dataclasses.dataclass(frozen=True)
class Decision:
  """A bound that lies below an exact value: its arm models the text better.

  seeds: whether that holds for other seeds; else for these checkpoints only.
  """

  better: str
  worse: str
  seeds: bool


def decisions(experiment: Experiment) -> list[Decision]:
  """Finds the bounds that lie below an exact value.

  What is added to the bound: its standard error times the normal quantile, and
  the lengths that it does not pay for; with MIN_SEEDS seeds of both arms the
  upper limit of their difference has to be below 0 with that. Levels are
  Bonferroni's for all pairs of a bound and an exact value.
  """
  from scipy import stats

  joined, arms = _joined(experiment), of_arms(experiment)
  pairs = [
    (a, b)
    for a, b in itertools.permutations(arms.values(), 2)
    if b.exact and not a.exact and a.error is not None and a.pays_as(b)
  ]
  decided = []
  for bound, exact in pairs:
    alpha = ALPHA / len(pairs)
    margin = bound.lengths + (bound.error or 0.0) * float(
      stats.norm.isf(alpha / 2)
    )
    pair = Pair.from_runs(joined, BITS, bound.arm, exact.arm)
    difference = pair.over_seeds(1 - alpha)
    if difference is not None and difference.high is not None:
      if difference.high + margin < 0:
        decided.append(Decision(bound.arm, exact.arm, True))
    elif bound.estimate.value + margin < exact.estimate.value:
      decided.append(Decision(bound.arm, exact.arm, False))
  return decided


def _differences(experiment: Experiment) -> list[tuple[str, ...]]:
  """Rows of arm, difference to the baseline, p and verdict."""
  joined, arms = _joined(experiment), of_arms(experiment)
  baseline = arms.get(experiment.baseline)
  if baseline is None:
    return []
  others = [arm for arm in arms.values() if arm is not baseline]
  pairs = [
    Pair.from_runs(joined, BITS, arm.arm, baseline.arm) for arm in others
  ]
  over_seeds = [pair.over_seeds(1 - ALPHA) for pair in pairs]
  tested = [
    estimate if arm.exact and baseline.exact and arm.pays_as(baseline) else None
    for arm, estimate in zip(others, over_seeds, strict=True)
  ]
  p_values = items_lib.holm([e.p if e else None for e in tested])
  decided = decisions(experiment)
  rows: list[tuple[str, ...]] = []
  for arm, estimate, p in zip(others, over_seeds, p_values, strict=True):
    if not arm.pays_as(baseline):
      verdict = "other unknown tokens: says nothing"
    elif arm.exact and baseline.exact:
      verdict = _verdict(estimate, p, baseline.arm)
    else:
      verdict = _by_bounds(arm, baseline, decided)
    value = arm.estimate.value - baseline.estimate.value
    known = estimate or Estimate(value)
    shown = metrics_lib.interval(
      known.value, known.low, known.high, signed=True
    )
    signs = f"{arm.sign} and {baseline.sign}"
    rows.append((arm.arm, signs, shown, p_value(p), verdict))
  return rows


def _verdict(estimate: Estimate | None, p: float | None, baseline: str) -> str:
  """Says what a corrected test of two exact values shows."""
  claim = compare.side(estimate, p, BITS)
  if claim:
    return f"{claim} than {baseline}"
  if claim == "":
    return f"not shown to differ from {baseline}"
  if estimate is None:
    return f"no test: fewer than {MIN_SEEDS} seeds"
  return "no test possible: the seeds agree to the last bit"


def _by_bounds(
  arm: BitsPerByte, baseline: BitsPerByte, decided: Sequence[Decision]
) -> str:
  """Says what a bound shows, against an exact value or another bound."""
  for one in decided:
    names = {one.better, one.worse}
    if names == {arm.arm, baseline.arm}:
      claim = "better" if one.better == arm.arm else "worse"
      only = "" if one.seeds else "these checkpoints only: "
      return (
        f"{only}{claim} than {baseline.arm}: a bound below an exact value"
        " decides"
      )
  if arm.exact == baseline.exact:
    return "two bounds: says nothing"
  return "bound: says nothing"


def sentences(analysis: Analysis) -> list[str]:
  """Says how the column was had, and what bounds decide between arms."""
  arms = of_arms(analysis.experiment)
  if not arms:
    return []
  text = "Bits per byte, less is better: = is exact"
  if not all(arm.exact for arm in arms.values()):
    text += (
      ", ≤ a bound from above, ± its standard error over draws of masks, given"
      " the text"
    )
  by_name: dict[str, list[str]] = {}
  for arm in arms.values():
    for name in arm.estimators:
      by_name.setdefault(name, []).append(arm.arm)
  how = [f"{name} ({', '.join(names)})" for name, names in by_name.items()]
  texts = [f"{text}. {'; '.join(how)}." if how else f"{text}."]
  for one in decisions(analysis.experiment):
    only = "" if one.seeds else "These checkpoints only: "
    texts.append(
      f"{only}{one.better} models the text better than {one.worse}: a bound"
      " below an exact value decides."
    )
  unknown = {arm.arm: arm.unknown for arm in arms.values() if arm.unknown}
  if unknown:
    shares = [f"{100 * x:.2g} % of {arm}" for arm, x in unknown.items()]
    text = f"Tokens that are [UNK]: {listed(shares, 'and')}."
    charges = {a.arm: a.unknown_bits for a in arms.values() if a.unknown_bits}
    if charges:
      costs = [f"{x:.2g} of {arm}" for arm, x in charges.items()]
      text += (
        " What they stand for is spelt in bytes, (b + 1) log2 257 bits for b of"
        f" them, in bits per byte {listed(costs, 'and')}: hence ≤."
      )
    if unknown.keys() - charges:
      text += (
        " They stand for any text, so that bits per byte are too low by what"
        " that text would cost (≥; ? of a bound), where it is not paid for."
      )
    texts.append(text)
  return texts


def blocks(analysis: Analysis) -> list[Block]:
  """Compares bits per byte with those of the baseline."""
  experiment = analysis.experiment
  rows = _differences(experiment)
  if not rows:
    return []
  minus = f"difference to {experiment.baseline}"
  head = ("arm", "signs", minus, "p, seeds", "verdict")
  text = (
    "Interval and p: over seeds, on the same held-out text; Holm's correction."
    " Only two exact values have a p value. A bound decides only if it is below"
    " the exact value even with its error margin and the cost of telling each"
    " text's length added; otherwise it says nothing."
  )
  return [Table(head, tuple(rows), words=(0, 4)), Text(text)]
