"""Looks at an experiment before its end: whether it may stop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lm_jax.report import collect, compare
from lm_jax.report.preregistered import RECORD
from lm_jax.support.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Decision:
  """The outcome of a look.

  seeds: of each arm, at this look.
  stop: whether every arm has a verdict, or no look is left.
  verdicts: in words, by arm: "better than clm", "inconclusive".
  following: the seeds of the next look; None where it stops.
  """

  seeds: int
  stop: bool
  verdicts: Mapping[str, str]
  following: int | None = None

  def text(self) -> str:
    """Returns it as a line for people."""
    told = ", ".join(f"{arm}: {text}" for arm, text in self.verdicts.items())
    after = "stops" if self.stop else f"goes on to {self.following} seeds"
    return f"look at {self.seeds} seeds: {told}; {after}"


def look(directory: str, preregistered: Mapping[str, Any], n: int) -> Decision:
  """Decides after a look whether the experiment may stop.

  It may once each arm is better, worse or equivalent. The measures of later
  seeds, if there are any, are not looked at.

  Args:
    directory: of the experiment, with all runs of this look done.
    preregistered: the plan, as experiment.json has it.
    n: seeds of each arm, a look of the plan.

  Raises:
    UsageError: n is no look of the plan, or its runs are not all done.
  """
  experiment = collect.load(directory)
  plan, seal = experiment.plan, experiment.seal
  if plan is None or seal is None:
    raise UsageError(f"--workdir={directory}: has no {RECORD} plan")
  if n not in plan.stops or dict(preregistered) != experiment.about[RECORD]:
    raise UsageError(
      f"--workdir={directory}: {n} seeds: are no look of its plan; valid:"
      f" {', '.join(map(str, plan.stops))}"
    )
  count = plan.stops.index(n) + 1
  if seal.looks < count:
    raise UsageError(f"--workdir={directory}: {plan.primary} is {seal.text()}")
  part = dataclasses.replace(
    experiment.first_seeds(n), seal=dataclasses.replace(seal, looks=count)
  )
  analysis = compare.analyse(part)
  verdicts = {d.arm: d.verdict for d in analysis.differences}
  others = [arm for arm in plan.arms if arm != experiment.baseline]
  claims = {d.arm: d.claim for d in analysis.differences}
  decided = all(claims.get(arm) for arm in others)
  if decided or count == len(plan.stops):
    return Decision(n, True, verdicts)
  return Decision(n, False, verdicts, plan.stops[count])
