"""One run: from its configuration to result.json."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lm_jax import checkpoint, sharding, train, workdir, yardsticks
from lm_jax import config as config_lib
from lm_jax.config import Built, Config
from lm_jax.data import rows as rows_lib
from lm_jax.ledger import Budget, Ledger
from lm_jax.log import MetricsLog, write_atomically
from lm_jax.models.network import Network
from lm_jax.program import (
  Plan,
  Program,
  State,
  abstract_rows,
  compile_plan,
  heads_of,
  trunks_of,
)
from lm_jax.types import Spec, Specials, Trunk, UsageError

# Evaluations that a run has where --eval_every is 0.
EVALUATIONS = 5
# Held-out batches of the own-loss curve.
VALIDATION_BATCHES = 4


def check(config: Config) -> None:
  """Raises UsageError where the run is impossible; compiles, writes nothing."""
  built = config_lib.build(config)
  specials = Specials(sentinels=config.data.sentinels)
  # The tokenizer is not there yet; an objective asks for no more than this.
  spec = Spec(
    built.trunk.architecture,
    config.length,
    max(config.data.vocabulary_size, specials.count + 1),
    specials,
  )
  built.objective.check(spec, config.batch_size, config.accumulate)
  if config.model:
    continued(config)
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
  directory = workdir.create(config.workdir)
  with checkpoint.hold(directory):
    workdir.check_same(config)
    finished = _read_result(directory)
    if finished is not None and finished["status"] == train.DONE:
      return finished
    resolved = config_lib.resolve(config)
    write_atomically(directory / "config.json", config_lib.to_json(resolved))
    enable_compilation_cache(config.data.cache)
    dataset = rows_lib.load(config.data, config.length)
    program = make_program(config, dataset)
    return _run(config, directory, dataset, program, progress)


def make_program(config: Config, dataset: Any) -> Program:
  """The compiled functions of a configuration; equal ones share them."""
  built = config_lib.build(config)
  spec = make_spec(built, dataset)
  built.objective.check(spec, config.batch_size, config.accumulate)
  network = make_network(built, spec)
  plan = Plan(
    objective=built.objective,
    network=network,
    spec=spec,
    batch_size=config.batch_size,
    accumulate=config.accumulate,
    optimizer=config.optimizer,
    budget=Budget.parse(config.budget),
    mesh=sharding.make_mesh(built.mesh),
  )
  return compile_plan(plan)


def make_spec(built: Built, dataset: Any) -> Spec:
  """What the objective may know of the model and the data."""
  return Spec(
    built.trunk.architecture,
    dataset.length,
    dataset.vocabulary_size,
    dataset.specials,
  )


def make_network(built: Built, spec: Spec, deterministic: bool = False):
  """The objective's stacks and heads, for its longest stream."""
  problem = jax.eval_shape(
    lambda key, rows: built.objective.make(key, rows, spec),
    jax.random.key(0),
    abstract_rows(1, spec.length),
  )
  streams = [problem.inputs, problem.source]
  longest = max(s.tokens_BxT.shape[1] for s in streams if s is not None)
  trunk: Trunk = dataclasses.replace(
    built.trunk,
    vocabulary=spec.vocabulary,
    max_positions=max(longest, spec.length),
  )
  return Network(
    trunks_of(built.objective, trunk),
    heads_of(built.objective, spec),
    deterministic,
  )


def _run(
  config: Config,
  directory: Path,
  dataset: Any,
  program: Program,
  progress: bool,
) -> dict[str, Any]:
  budget = Budget.parse(config.budget)
  steps = budget.steps(program.flops, program.positions)
  with checkpoint.Checkpoints(
    directory / "checkpoints", best_metric="validation_loss"
  ) as checkpoints:
    state, ledger = start(config, program, checkpoints)
    log = MetricsLog(directory, ledger.steps)
    yardstick = yardsticks.Yardsticks(dataset, program, config)
    validation = dataset.fixed(
      "validation",
      config.batch_size,
      limit_rows=VALIDATION_BATCHES * config.batch_size,
    )

    def evaluate(state: State) -> dict[str, float]:
      loss = program.validation_loss(state.params, validation)
      return {"validation_loss": loss, **yardstick.quick(state.params)}

    def save(state, ledger, evaluated) -> None:
      meta = {"ledger": ledger.as_dict(), "data": dataset.fingerprint}
      checkpoints.save(ledger.steps, state, meta, evaluated)

    batches = dataset.batches(
      config.seed, config.batch_size, start=ledger.steps
    )
    try:
      status, state = train.fit(
        program,
        state,
        ledger,
        batches,
        budget,
        train.Intervals(
          config.log_every,
          config.eval_every or max(1, (steps or 1000) // EVALUATIONS),
          config.checkpoint_every,
        ),
        train.Hooks(log.write, evaluate, save),
        title=config.name or config.objective,
        progress=progress,
      )
    finally:
      batches.close()
      log.close()
    checkpoints.wait()
  result = _result(config, program, status, state, ledger)
  if status == train.DONE:
    metrics, items = yardstick.full(state.params)
    result["metrics"] = {
      "validation_loss": program.validation_loss(state.params, validation),
      **metrics,
    }
    result["items"] = items
  write_atomically(directory / "result.json", json.dumps(result) + "\n")
  return result


def start(
  config: Config, program: Program, checkpoints: checkpoint.Checkpoints
) -> tuple[State, Ledger]:
  """The state to go on from: of this run, of --model, or a new one."""
  restored = checkpoints.restore(program.abstract_state())
  if restored is not None:
    state, meta = restored
    return state, Ledger(**meta["ledger"])
  state = program.initial(np.uint32(config.seed))
  if config.model:
    state = dataclasses.replace(state, params=continued_params(config, program))
  return state, Ledger()


def continued(config: Config) -> Config:
  """The configuration of --model, which must be of the same network.

  Raises:
    UsageError: it differs in what shapes the parameters.
  """
  base = config_lib.read(config.model)
  mine, theirs = config_lib.build(config), config_lib.build(base)
  same = {
    "--architecture": (theirs.trunk.architecture, mine.trunk.architecture),
    "--data.tokenizer": (base.data.tokenizer, config.data.tokenizer),
    "--data.vocabulary_size": (
      base.data.vocabulary_size,
      config.data.vocabulary_size,
    ),
  }
  ignored = {"dropout", "attention_dropout", "remat", "dtype", "attention"}
  for field in dataclasses.fields(Trunk):
    if field.name not in ignored:
      same[f"--trunk.{field.name}"] = (
        getattr(theirs.trunk, field.name),
        getattr(mine.trunk, field.name),
      )
  for flag, (old, new) in same.items():
    if old != new:
      raise UsageError(
        f"--model={config.model}: its {flag} is {old}, and this run's {new}"
      )
  return base


def continued_params(config: Config, program: Program):
  """The last parameters of --model, in this program's places."""
  base = continued(config)
  dataset = rows_lib.load(base.data, base.length)
  theirs = make_program(base, dataset)
  place = Path(config.model, "checkpoints")
  with checkpoint.Checkpoints(place, read_only=True) as checkpoints:
    restored = checkpoints.restore(theirs.abstract_state())
  if restored is None:
    raise UsageError(f"--model={config.model}: has no readable checkpoint")
  wanted = {k for k, _ in _named(program.abstract.params)}
  found = dict(_named(restored[0].params))
  if wanted != set(found):
    odd = sorted(wanted ^ set(found))[0]
    raise UsageError(
      f"--model={config.model}: its objective {base.objective} and "
      f"{config.objective} differ in parameters, at {odd}"
    )
  return restored[0].params


def _named(tree):
  for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
    yield jax.tree_util.keystr(path, simple=True, separator="."), leaf


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
    error = f"the loss is not finite at step {ledger.steps}"
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


def _read_result(directory: Path) -> dict[str, Any] | None:
  path = directory / "result.json"
  if not path.exists():
    return None
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except ValueError as error:
    raise UsageError(f"{path}: damaged ({error}); remove it to go on") from None


def enable_compilation_cache(cache: str) -> None:
  """Compiled programs are kept beside the prepared data, for later runs."""
  from lm_jax.data import cache as cache_lib

  directory = cache_lib.root(cache) / "xla"
  os.makedirs(directory, exist_ok=True)
  jax.config.update("jax_compilation_cache_dir", str(directory))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
  jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
