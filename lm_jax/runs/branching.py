"""Branches of a run: decayed and measured at smaller spends, in branches/.

A branch is a run of its own directory, which begins with a state of the run
instead of drawn parameters, and has its own checkpoints and result.json. It
is a function of the run's checkpoint there: a killed one is made again, or goes
on, to the same bits.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lm_jax.config import Config, branches
from lm_jax.config.budget import Budget, Ledger
from lm_jax.data import rows as rows_lib
from lm_jax.data.row_source import RowSource
from lm_jax.devices import distributed
from lm_jax.report.run import BRANCHES
from lm_jax.runs.session import Session, train_session
from lm_jax.storage import result_file, workdir
from lm_jax.support.errors import UsageError
from lm_jax.training import pace
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.forks import Fork
from lm_jax.training.parts import Part
from lm_jax.training.plan import State
from lm_jax.training.program import Program


def with_branches(session: Session) -> Session:
  """Returns the session of a run with its branches, which are checked.

  Raises:
    UsageError: one would decay before the warm-up ends.
  """
  known = _forks(session.config, session.program, session.dataset)

  def branch(fork: Fork, state: State, ledger: Ledger) -> int:
    _branch(session, fork, state, ledger)
    return sum(_cost(session, one) for one in known)

  for fork, in_time in known.items():
    if not in_time:
      _say(session, f"no branch at {fork.budget}: the run ends before")
  return dataclasses.replace(session, forks=list(known), branch=branch)


def check(configs: Sequence[Config]) -> None:
  """Checks the branches of an experiment's arms before any of it runs.

  Raises:
    UsageError: a step costs more than one has, or it would decay before the
      warm-up ends.
  """
  arms = {c.arm: c for c in reversed(configs) if branches.parse(c)}
  for config in arms.values():
    enable_compilation_cache(config.data.cache)
    dataset = rows_lib.load(config.data, config.length)
    _forks(config, make_program(config, dataset), dataset)


def _forks(
  config: Config, program: Program, dataset: RowSource
) -> dict[Fork, bool]:
  """Returns the branches, checked, and whether the run comes to each."""
  one = pace.of_step(program, dataset, config)
  most = {
    "tokens": config.batch_size * config.length,
    "targets": 2 * program.positions,
  }
  static = {name: int(one[name]) for name in ("flops", "positions", "steps")}
  steps = pace.steps(one, Budget.parse(config.budget))
  known = {}
  for budget in branches.parse(config):
    currency = budget.currency
    fork = Fork(
      branches.name(budget),
      budget,
      config.optimizer.decay,
      cost=static.get(currency, 0),
      most=most.get(currency, 0),
    )
    _check(fork, config, one, steps)
    cost = one.get(fork.budget.currency)
    known[fork] = not steps or not cost or fork.begins / cost < steps
  return known


def _check(
  fork: Fork, config: Config, one: dict[str, float], steps: float | None
) -> None:
  """Raises UsageError if a branch would lie before the warm-up's end."""
  pace_of = one.get(fork.budget.currency)
  if pace_of is None:
    return  # only the clock tells
  if fork.budget.amount < pace_of:
    raise UsageError(
      f"--branches={fork.budget}: one step costs {pace_of:.3g}"
      f" {fork.budget.currency}"
    )
  if steps is None:
    return
  warmup = config.optimizer.warmup * steps
  least = warmup * pace_of / (1 - config.optimizer.decay)
  if fork.begins / pace_of < warmup:
    raise branches.too_early(fork.budget, config, least, "about ")


def _cost(session: Session, fork: Fork) -> int:
  """Returns the model FLOPs of a finished branch beyond where it began.

  Read off its result, so that a run that goes on counts each branch once.
  """
  result = _finished(_directory(session, fork))
  if result is None:
    return 0
  return int(result["ledger"]["flops"]) - int(result["begins"]["flops"])


def _directory(session: Session, fork: Fork) -> Path:
  return Path(session.config.workdir, BRANCHES, fork.name)


def _branch(session: Session, fork: Fork, state: State, ledger: Ledger) -> None:
  """Trains and measures a branch, unless it is done."""
  config = session.config
  directory = _directory(session, fork)
  if _finished(directory) is None:
    if why := _hindrance(session, fork, ledger):
      _say(session, f"no branch at {fork.budget}: {why}")
      return
    own = _configure(config, fork, ledger, directory)
    distributed.require_same({f"--branches={fork.budget}": own.budget})
    if distributed.is_first():
      _clear(own)
    distributed.exchange("branch")
    workdir.create(own.workdir)
    program = session.program
    if Budget.parse(config.budget).currency in ("tokens", "targets"):
      # Its schedule follows its steps, which the host counts.
      program = make_program(own, session.dataset)
      if session.base is not None:
        program = program.with_held(session.base.model.params)
    last = session.parts[-1]
    part = Part(None, program, last.dataset, last.seed, last.workers)
    train_session(
      Session(
        config=own,
        dataset=session.dataset,
        program=program,
        parts=[part],
        progress=session.progress,
        began=session.pace.wall(),
        base=session.base,
        trunk=(state, ledger),
        pace=session.pace,
      )
    )


def _finished(directory: Path) -> dict[str, Any] | None:
  path = directory / result_file.FILE
  if not path.exists():
    return None
  result = result_file.read(path, "remove it to make the branch again")
  return result if result_file.is_final(result, "none") else None


def _hindrance(session: Session, fork: Fork, ledger: Ledger) -> str:
  """Says why a branch can't begin here; "" if it can."""
  options = session.config.optimizer
  share = ledger.fraction(Budget.parse(session.config.budget))
  if fork.missed(ledger):
    return f"it would have begun before step {ledger.steps:,}"
  if share < options.warmup:
    return f"at step {ledger.steps:,} the warm-up is not over"
  if share > 1 - options.decay:
    return f"at step {ledger.steps:,} the run itself decays"
  return ""


def _configure(
  config: Config, fork: Fork, ledger: Ledger, directory: Path
) -> Config:
  """Returns the configuration of a branch: a run of as many steps."""
  return dataclasses.replace(
    config,
    name=f"{config.name or config.objective}, {fork.name}",
    workdir=str(directory),
    budget=f"steps:{fork.steps(ledger)}",
    branches="",
    eval="final" if config.eval == "all" else config.eval,
  )


def _clear(config: Config) -> None:
  """Removes what another branch of that name left, begun at another step."""
  directory = Path(config.workdir)
  if directory.exists():
    try:
      differs = bool(workdir.check_same(config))
    except UsageError:
      differs = True
    if differs:
      shutil.rmtree(directory)


def _say(session: Session, line: str) -> None:
  if session.progress and distributed.is_first():
    title = session.config.name or session.config.objective
    print(f"lm_jax: {title}: {line}", file=sys.stderr)
