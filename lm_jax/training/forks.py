"""Points of a run at which a branch of it begins.

A branch is what the run would be if its budget ended sooner: the learning rate
of a stable phase, which decays over the last `--optimizer.decay` of the
branch's own steps (Haegele et al. 2024, section 3: one run serves several
lengths). Where it begins, and how many steps it takes, is a function of what
the run has spent by then.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence

from lm_jax.config.budget import Budget, Ledger

# (1 - 0.2) * 100 is 80.00000000000001 for other numbers of steps.
_ROUNDING = 1e-9
# Of the seconds at which a branch begins: from here on each step is waited for.
_NEAR_SECONDS = 0.7


@dataclasses.dataclass(frozen=True)
class Fork:
  """A branch of a run.

  name: of its directory.
  budget: the spend at which it ends.
  decay: the last share of its steps, over which the learning rate decays.
  cost: of a step, in a currency in which that is static; else 0.
  most: of a step, in a currency that the device counts.
  """

  name: str
  budget: Budget
  decay: float
  cost: int = 0
  most: int = 0

  @property
  def begins(self) -> float:
    """The spend at which it begins."""
    if not self.cost:
      return (1 - self.decay) * self.budget.amount
    # One step less: the end of the next one lies in the decay.
    steps = int(self.budget.amount) // self.cost
    return self.cost * max(
      0, math.ceil((1 - self.decay) * steps - _ROUNDING) - 1
    )

  def spent(self, ledger: Ledger) -> float:
    return float(ledger.spent(self.budget.currency))

  def due(self, ledger: Ledger) -> bool:
    """Returns whether it begins here: the next step's end lies in the decay."""
    spent = self.spent(ledger)
    ahead = 0.0 if self.cost else spent / max(1, ledger.steps)
    return spent + ahead >= self.begins

  def steps(self, ledger: Ledger) -> int:
    """Returns the step at which it ends, if it begins at a ledger."""
    if self.cost:
      return max(int(self.budget.amount) // self.cost, ledger.steps + 1)
    left = self.budget.amount - self.spent(ledger)
    pace = self.spent(ledger) / ledger.steps
    return ledger.steps + max(1, round(left / pace))

  def missed(self, ledger: Ledger) -> bool:
    """Returns whether it should have begun some steps before.

    Two steps, of seconds half of the decay.
    """
    late = self.spent(ledger) - self.begins
    pace = self.spent(ledger) / max(1, ledger.steps)
    if self.budget.currency == "seconds":
      # A step may take much longer than another.
      return late > max(2 * pace, self.decay * self.budget.amount / 2)
    return late > 2 * pace


class Forks:
  """The branches that a run has yet to begin.

  Args:
    forks: of the run.
    seconds: the clock that all processes share, from one's own.
  """

  def __init__(
    self,
    forks: Sequence[Fork] = (),
    seconds: Callable[[float], float] = lambda own: own,
  ):
    self._left = sorted(forks, key=lambda fork: fork.budget.amount)
    self._seconds = seconds
    self._look: dict[str, int] = {}

  def take(self, ledger: Ledger) -> list[Fork]:
    """Returns those that begin now, and are no longer left."""
    now = self.shared(ledger)
    due = [fork for fork in self._left if fork.due(now)]
    self._left = [fork for fork in self._left if fork not in due]
    return due

  def shared(self, ledger: Ledger) -> Ledger:
    """Returns a ledger by the clock that all processes share."""
    return dataclasses.replace(ledger, seconds=self._seconds(ledger.seconds))

  def counts(self, ledger: Ledger) -> bool:
    """Returns whether the device must be waited for after a step.

    For its counters; or, near a spend in seconds, since the host runs ahead of
    the device, so that its clock says little of a single step.
    """
    now = self._seconds(ledger.seconds)
    return any(
      (fork.most and ledger.steps >= self._look.get(fork.name, 0))
      or (
        fork.budget.currency == "seconds" and now >= _NEAR_SECONDS * fork.begins
      )
      for fork in self._left
    )

  def plan(self, ledger: Ledger) -> None:
    """Plans the next look at the device's counters, now that they are known.

    No step counts more than `most`: until then no branch can begin.
    """
    for fork in self._left:
      if fork.most:
        ahead = (fork.begins - fork.spent(ledger)) // fork.most - 1
        self._look[fork.name] = ledger.steps + max(1, int(ahead))
