"""One run: from its configuration to result.json."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np

from lm_jax import checkpoint, evaluate, train, trained, workdir
from lm_jax import config as config_lib
from lm_jax.assemble import enable_compilation_cache, make_program
from lm_jax.config import Config
from lm_jax.data import rows as rows_lib
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.hugging_face import origin
from lm_jax.ledger import Budget, Ledger
from lm_jax.log import MetricsLog, write_atomically
from lm_jax.program import Program, State
from lm_jax.tasks.base import Measure
from lm_jax.types import Spec, UsageError

# Evaluations that a run has where --eval_every is 0.
EVALUATIONS = 5
# Held-out batches of the own-loss curve.
VALIDATION_BATCHES = 4


def check(config: Config) -> None:
  """Raises UsageError where the run is impossible; compiles, writes nothing."""
  built = config_lib.build(config)
  specials = specials_of(config.data)
  # The tokenizer is not there yet; an objective asks for no more than this.
  spec = Spec(
    built.trunk.architecture,
    config.length,
    max(config.data.vocabulary_size, specials.ids[-1] + 2),
    specials,
  )
  built.objective.check(spec, config.batch_size, config.accumulate)
  if config.model:
    trained.check(config)
  if config.workdir:
    workdir.check(config.workdir)
    workdir.check_same(config)


def pretrain(config: Config, progress: bool = True) -> dict[str, Any]:
  """Runs, goes on with, or reuses a run; returns what result.json holds.

  Args:
    config: with a workdir.
    progress: show a progress bar on a terminal.

  Raises:
    UsageError: the run is impossible, or its directory is taken.
  """
  check(config)
  finished = _done(config)
  if finished is not None:
    return finished
  enable_compilation_cache(config.data.cache)
  # A corpus that cannot be read leaves no directory behind.
  dataset = rows_lib.load(config.data, config.length)
  directory = workdir.create(config.workdir)
  with checkpoint.hold(directory):
    # Another process may have been faster.
    workdir.check_same(config)
    return _done(config) or _run(config, directory, dataset, progress)


def _run(
  config: Config, directory: Path, dataset: rows_lib.Dataset, progress: bool
) -> dict[str, Any]:
  # Raises where there are too few rows for a batch.
  dataset.batch(config.seed, 0, config.batch_size)
  program = make_program(config, dataset)
  budget = Budget.parse(config.budget)
  steps = budget.steps(program.flops, program.positions)
  validation = dataset.fixed(
    "validation",
    config.batch_size,
    limit_rows=VALIDATION_BATCHES * config.batch_size,
  )

  def own_loss(state: State) -> dict[str, float]:
    loss = program.validation_loss(state.params, validation)
    return {"validation_loss": loss}

  def measure(state: State, quick: bool) -> Measure:
    model = evaluate.scorer(program.plan, state.params, dataset)
    return evaluate.evaluate(model, dataset, quick=quick)

  def quickly(state: State) -> dict[str, float]:
    accuracy = measure(state, quick=True).metrics
    return own_loss(state) | {
      name: value for name, value in accuracy.items() if "/" not in name
    }

  def save(state: State, ledger: Ledger, evaluated: dict[str, float]) -> None:
    meta = {"ledger": ledger.as_dict(), "data": dataset.fingerprint}
    checkpoints.save(ledger.steps, state, meta, evaluated)

  with checkpoint.Checkpoints(
    directory / "checkpoints", best_metric="validation_loss"
  ) as checkpoints:
    state, ledger = start(config, dataset, program, checkpoints)
    # What can be wrong with the input has shown by now: from here on the
    # directory is this run's.
    _describe(directory, config, dataset)
    batches = dataset.batches(
      config.seed,
      config.batch_size,
      start=ledger.steps,
      workers=config.data.workers,
    )
    with (
      contextlib.closing(batches),
      MetricsLog(directory, ledger.steps) as log,
    ):
      status, state = train.fit(
        program,
        state,
        ledger,
        batches,
        budget,
        train.Intervals(
          config.log_every,
          config.eval_every or -(-(steps or 1000) // EVALUATIONS),
          config.checkpoint_every,
        ),
        train.Hooks(log.write, quickly, save),
        title=config.name or config.objective,
        progress=progress,
      )
  result = _result(config, program, status, state, ledger)
  if status == train.DONE:
    found = measure(state, quick=False)
    result["metrics"] = own_loss(state) | found.metrics
    result["items"] = found.items
  write_atomically(directory / "result.json", json.dumps(result) + "\n")
  return result


def _describe(
  directory: Path, config: Config, dataset: rows_lib.Dataset
) -> None:
  """Writes what the run is: its tokenizer and its configuration."""
  for name, content in dataset.tokenizer.files().items():
    write_atomically(directory / name, content)
  if config.model:
    origin.keep(config.model, directory)
  resolved = config_lib.resolve(config)
  write_atomically(directory / "config.json", config_lib.to_json(resolved))


def start(
  config: Config,
  dataset: rows_lib.Dataset,
  program: Program,
  checkpoints: checkpoint.Checkpoints,
) -> tuple[State, Ledger]:
  """The state to go on from: of this run, of --model, or a new one.

  Raises:
    UsageError: the run has read other data so far, or --model does not fit.
  """
  restored = checkpoints.restore(program.abstract_state())
  if restored is not None:
    state, meta = restored
    if meta["data"] != dataset.fingerprint:
      raise UsageError(
        f"--data.corpus={config.data.corpus}: has changed since "
        f"{config.workdir} was begun; name another --workdir"
      )
    return state, Ledger(**meta["ledger"])
  if not config.model:
    return program.initial(np.uint32(config.seed)), Ledger()
  params = trained.params_for(config, dataset.tokenizer, program)
  state = program.initial(np.uint32(config.seed))
  return dataclasses.replace(state, params=params), Ledger()


def _result(
  config: Config,
  program: Program,
  status: str,
  state: State,
  ledger: Ledger,
) -> dict[str, Any]:
  plan = program.plan
  error = None
  if status == train.DIVERGED:
    error = f"the loss or the parameters are not finite at step {ledger.steps}"
  return {
    "name": config.name,
    "arm": config.arm or config.objective,
    "seed": config.seed,
    "status": status,
    "error": error,
    "step": ledger.steps,
    "digest": checkpoint.digest(state.params),
    "objective": config.objective,
    "architecture": plan.spec.architecture,
    "parameters": program.parameters,
    "scoring": plan.objective.scoring,
    "ledger": ledger.as_dict(),
    "metrics": {},
    "items": {},
  }


def _done(config: Config) -> dict[str, Any] | None:
  """What result.json holds, if the run is complete."""
  path = Path(config.workdir, "result.json")
  if not path.exists():
    return None
  try:
    result = json.loads(path.read_text(encoding="utf-8"))
  except ValueError as error:
    raise UsageError(f"{path}: damaged ({error}); remove it to go on") from None
  return result if result["status"] == train.DONE else None
