"""The start of a run: its own checkpoint, another model, or nothing."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Ledger
from lm_jax.data.row_source import RowSource
from lm_jax.inference import continued
from lm_jax.inference import load as load_lib
from lm_jax.storage import checkpoint, identity
from lm_jax.support.errors import UsageError
from lm_jax.training.plan import State
from lm_jax.training.program import Program


def start(
  config: Config,
  dataset: RowSource,
  program: Program,
  checkpoints: checkpoint.Checkpoints,
  base: load_lib.Base | None = None,
  trunk: tuple[State, Ledger] | None = None,
) -> tuple[State, Ledger, list[dict[str, Any]]]:
  """Returns the state that a run starts from.

  1. Its own last intact checkpoint, if it has one.
  2. The state of the run that it branches off, if it is a branch.
  3. The parameters of --model, where that is given.
  4. New parameters, drawn from the seed.

  Args:
    config, dataset, program, checkpoints: of the run.
    base: the model that it adapts, if it does.
    trunk: where it is a branch, the state and ledger that it begins with; they
      stay as they are.

  Returns:
    The state, what was spent, and what --allow_change has changed so far: for
    each time the step and the changes, in words.

  Raises:
    UsageError: the checkpoint is of another run, or --model does not fit.
  """
  changes: list[identity.Change] = []
  known = base.digest if base else ""

  def accept(step: int, meta: dict[str, Any]) -> None:
    where = f"--workdir={config.workdir}: checkpoint {step}"
    if "config" not in meta:
      raise UsageError(
        f"{where} was written by an older version; name another directory"
      )
    changes[:] = identity.changes_since(meta, config, dataset, where, known)
    refused = identity.refused(changes, config.allow_change)
    if refused:
      raise UsageError(f"{where} is of {identity.differ(refused)}")

  try:
    restored = checkpoints.restore(program.abstract_state(), accept=accept)
  except UsageError as error:
    if not changes or identity.refused(changes, config.allow_change):
      raise
    names = ",".join(config.allow_change)
    raise UsageError(f"--allow_change={names}: {error}") from error
  if restored is not None:
    state, meta = restored
    ledger, history = Ledger(**meta["ledger"]), meta.get("history", [])
    if "epochs" not in meta["ledger"]:  # as in runs of before they were counted
      rows = ledger.steps * config.batch_size
      ledger.epochs = rows / dataset.rows("train")
    if changes:
      said = list(map(str, changes))
      history = [*history, {"step": ledger.steps, "changes": said}]
    return state, ledger, history
  if trunk is not None:
    # A step donates its state, and the trunk's goes on.
    state = jax.tree.map(jnp.copy, trunk[0])
    return state, dataclasses.replace(trunk[1], branch_flops=0), []
  seeds = config_lib.seeds_of(config)
  state = program.initial(
    np.uint32(seeds.parameters), np.uint32(seeds.corruption)
  )
  if not config.model:
    return state, Ledger(), []
  params = continued.params_for(
    config, dataset.tokenizer, program, base.model if base else None
  )
  return dataclasses.replace(state, params=params), Ledger(), []
