"""Budgets, and what a run has spent in every currency."""

from __future__ import annotations

import dataclasses
import difflib
from decimal import Decimal, InvalidOperation

from lm_jax.support.errors import UsageError

CURRENCIES = ("flops", "tokens", "targets", "positions", "seconds", "steps")

# What no run reaches; it keeps "1e999999999" from becoming an integer.
_MOST = Decimal("1e30")


@dataclasses.dataclass(frozen=True)
class Budget:
  """The amount of one currency that a run may spend.

  What a step costs in flops, positions and steps is known before it is taken:
  such a budget is never exceeded. In tokens, targets and seconds it is known
  only afterwards: a run ends with the step that reaches the amount.

  currency: one of CURRENCIES.
  amount: above 0; an int except for seconds.
  """

  currency: str
  amount: int | float

  @classmethod
  def parse(cls, text: str, flag: str = "budget") -> Budget:
    """Reads "flops:3e13", "tokens:2000000", "seconds:90" and so on.

    Args:
      text: CURRENCY:AMOUNT.
      flag: that has it, for messages.

    Raises:
      UsageError: not CURRENCY:AMOUNT, or an amount of nonsense.
    """
    currency, _, number = text.partition(":")
    if currency not in CURRENCIES:
      near = difflib.get_close_matches(currency, CURRENCIES, 1)
      hint = f"did you mean {near[0]}? " if near else ""
      raise UsageError(
        f"--{flag}={text}: {hint}It is CURRENCY:AMOUNT, as in flops:3e13, with "
        f"one of the currencies {', '.join(CURRENCIES)}"
      )
    try:
      amount = Decimal(number)
    except InvalidOperation:
      amount = Decimal("nan")
    if not (amount.is_finite() and 0 < amount <= _MOST):
      raise UsageError(
        f"--{flag}={text}: the amount must be a number above 0 and at most "
        f"{_MOST:.0e}, as in {currency}:1e3"
      )
    if currency == "seconds":
      return cls(currency, float(amount))
    if amount != amount.to_integral_value():
      raise UsageError(
        f"--{flag}={text}: {currency} are counted in whole numbers, as in "
        f"{currency}:1e3"
      )
    return cls(currency, int(amount))

  def __str__(self) -> str:
    return f"{self.currency}:{self.amount}"

  def steps(
    self,
    flops_per_step: int,
    positions_per_step: int,
    spent: Ledger | None = None,
  ) -> int | None:
    """Number of steps that the budget buys; None if only the run can tell.

    Args:
      flops_per_step: model FLOPs, forward and backward.
      positions_per_step: tokens of every stream of every stack.
      spent: by steps that may have cost something else; they are counted.

    Raises:
      UsageError: the budget does not buy one step.
    """
    costs = {"steps": 1, "flops": flops_per_step}
    costs["positions"] = positions_per_step
    if self.currency not in costs:
      return None
    cost = costs[self.currency]
    # All are ints: the division is exact and never exceeds the budget.
    before = spent or Ledger()
    left = int(self.amount) - int(before.spent(self.currency))
    count = before.steps + max(0, left) // cost
    if not count:
      raise UsageError(
        f"--budget={self}: one step costs {cost} {self.currency} ({cost:.3g}); "
        "raise the budget, or lower --batch_size, --length or --size"
      )
    return count


@dataclasses.dataclass
class Ledger:
  """The amounts that a run has spent; exact, and plain numbers in JSON.

  steps: optimizer steps.
  tokens: tokens read, padding left out.
  positions: positions computed, by every stack.
  targets: predictions that bear loss, over all terms of the loss.
  flops: model FLOPs, forward and backward (lm_jax/training/flops.py).
  seconds: wall time of training.
  epochs: how often the training rows were read; where the lengths of rows
    change, each step counts by the rows of its own length.
  branch_flops: model FLOPs of its branches (--branches), beyond where each
    began; not part of `flops`.
  """

  steps: int = 0
  tokens: int = 0
  positions: int = 0
  targets: int = 0
  flops: int = 0
  seconds: float = 0.0
  epochs: float = 0.0
  branch_flops: int = 0

  def charge(self, flops: int, positions: int, epochs: float = 0.0) -> None:
    """Adds a step; tokens and targets are set from the device's counters."""
    self.steps += 1
    self.flops += flops
    self.positions += positions
    self.epochs += epochs

  def spent(self, currency: str) -> int | float:
    """Returns the amount spent in one of CURRENCIES."""
    return self.as_dict()[currency]

  def fraction(self, budget: Budget) -> float:
    """The fraction of the budget spent; above 1 if it was exceeded."""
    return self.spent(budget.currency) / budget.amount

  def as_dict(self) -> dict[str, int | float]:
    """Returns plain numbers for JSON, which make the ledger again."""
    numbers = dataclasses.asdict(self)
    if not self.branch_flops:
      del numbers["branch_flops"]
    return numbers
