"""result.json: how a run ended, and whether that is its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from lm_jax.config import Config
from lm_jax.config.budget import Ledger
from lm_jax.devices import distributed
from lm_jax.runs import benchmark
from lm_jax.storage import code, identity, result_file, workdir
from lm_jax.storage.digest import digest
from lm_jax.storage.result_file import Result
from lm_jax.support import plugins
from lm_jax.training.plan import State
from lm_jax.training.program import Program


def path(config: Config) -> Path:
  return Path(config.workdir, "result.json")


def finished(config: Config) -> dict[str, Any] | None:
  """Returns the content of result.json, if the run is at its end.

  Raises:
    UsageError: the file is damaged, or of a run of another configuration.
  """
  if workdir.check_same(config) or not path(config).exists():
    return None  # Changed, it goes on.
  result = result_file.read(path(config), "remove it to go on")
  # config.json may have been edited, or be lost: the checkpoints tell.
  own = identity.fingerprint(config)
  same = result.get("fingerprint", own) == own
  whole = result_file.is_final(
    result, config.eval, config.stop_at, benchmark.wanted(config)
  )
  return result if same and whole else None


def write(config: Config, result: Result) -> None:
  """Writes result.json; of several processes the first one does."""
  if distributed.is_first():
    result.write(path(config))


def make(
  config: Config,
  program: Program,
  status: str,
  error: str | None,
  state: State,
  ledger: Ledger,
  history: Sequence[dict[str, Any]],
) -> Result:
  """Makes the result of a run, without what is measured at the end.

  Args:
    status: DONE, DIVERGED or INTERRUPTED.
    error: why it diverged.
    history: what was changed on the way, by --allow_change.
  """
  plan = program.plan
  return Result(
    name=config.name,
    arm=config.arm or config.objective,
    seed=config.seed,
    fingerprint=identity.fingerprint(config),
    history=list(history),
    status=status,
    eval=config.eval,
    error=error,
    step=ledger.steps,
    skipped=int(jax.device_get(state.skipped)[0]),
    digest=digest(state.params),
    commit=code.commit(),
    objective=config.objective,
    architecture=plan.spec.architecture,
    parameters=program.parameters,
    scoring=plan.objective.scoring,
    ledger=ledger.as_dict(),
    metrics={},
    items={},
    plugins=plugins.directories() or None,
  )
