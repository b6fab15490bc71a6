"""Branches of a run: spends at which it is decayed and measured."""

from __future__ import annotations

from lm_jax.config.budget import Budget
from lm_jax.config.run import Config
from lm_jax.support.errors import UsageError

# For `compare`, which works out the spends at which the arms can be compared.
AUTO = "auto"


def name(budget: Budget) -> str:
  """Names the directory of a branch: tokens-400000, seconds-12.5."""
  number = budget.amount
  text = f"{number:g}" if isinstance(number, float) else str(number)
  return f"{budget.currency}-{text.replace('+', '')}"


def parse(config: Config) -> tuple[Budget, ...]:
  """Returns the spends at which branches end; none for "auto".

  Raises:
    UsageError: not CURRENCY:AMOUNT, one of them twice, or of a run that can't
      branch.
  """
  texts = [part.strip() for part in config.branches.split(",") if part.strip()]
  if texts == [AUTO]:
    return ()
  budgets = tuple(Budget.parse(text, "branches") for text in texts)
  flag = f"--branches={config.branches}"
  if len(set(budgets)) < len(budgets):
    raise UsageError(f"{flag}: the same spend twice")
  if budgets:
    _check(config, flag, budgets)
  return budgets


def _check(config: Config, flag: str, budgets: tuple[Budget, ...]) -> None:
  options = config.optimizer
  if options.schedule != "wsd":
    raise UsageError(
      f"{flag}: needs --optimizer.schedule=wsd, whose learning rate is constant"
      f" before it decays; it is {options.schedule}"
    )
  if config.curriculum:
    raise UsageError(
      f"{flag}: not with --curriculum: a run of that spend would have other"
      " stages"
    )
  if config.phases:
    raise UsageError(
      f"{flag}: not with --phases: a run of that spend would have other phases"
    )
  whole = Budget.parse(config.budget)
  for budget in budgets:
    if budget.currency != whole.currency:
      continue
    if budget.amount >= whole.amount:
      raise UsageError(
        f"--branches={budget}: must be below --budget={whole}, at which the run"
        " itself ends"
      )
    least = options.warmup * whole.amount / (1 - options.decay)
    if budget.amount < least:
      raise too_early(budget, config, least)


def too_early(
  budget: Budget, config: Config, least: float, roughly: str = ""
) -> UsageError:
  """Returns the error of a branch that would begin in the warm-up.

  Args:
    least: the spend at which one could end.
    roughly: "about " where that is no exact number.
  """
  options = config.optimizer
  return UsageError(
    f"--branches={budget}: would decay before the warm-up ends; it must be at"
    f" least {roughly}{budget.currency}:{least:.4g}"
    f" (--optimizer.warmup={options.warmup:g} of"
    f" --budget={Budget.parse(config.budget)},"
    f" --optimizer.decay={options.decay:g})"
  )
