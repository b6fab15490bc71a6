"""One run: from its configuration to result.json."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import jax

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Budget, Ledger
from lm_jax.data import rows as rows_lib
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.data.row_source import RowSource
from lm_jax.devices import distributed
from lm_jax.hugging_face import source_files
from lm_jax.inference import continued, load
from lm_jax.runs import result as result_lib
from lm_jax.runs import starting, yardstick
from lm_jax.runs.yardstick import VALIDATION_LOSS
from lm_jax.storage import checkpoint, disk, identity, machines, workdir
from lm_jax.storage.log import MetricsLog, NoLog, write_atomically
from lm_jax.support import status as status_lib
from lm_jax.support import version
from lm_jax.tasks import base as tasks_base
from lm_jax.training import curriculum, train
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.interruption import Interruption
from lm_jax.training.plan import State
from lm_jax.training.progress import Progress
from lm_jax.types import Spec

# Evaluations that a run has where --eval_every is 0.
EVALUATIONS = 5
# Held-out batches of the own-loss curve.
VALIDATION_BATCHES = 4


class Run:
  """One run: its configuration is resolved, built and checked here, once.

  config: with what it leaves open filled in, as the run in its directory has
    it, if there is one.

  Raises:
    UsageError: the run is impossible; nothing is compiled or written.
  """

  def __init__(self, config: Config):
    self.config = config = config_lib.with_packing(workdir.adopted(config))
    built = config_lib.build(config)
    identity.check_names(config)
    specials = specials_of(config.data)
    # The tokenizer does not exist yet; an objective asks for no more than this.
    size = max(config.data.vocabulary_size, specials.ids[-1] + 2)
    for stage in curriculum.stages(config):
      spec = Spec(built.trunk.architecture, stage.length, size, specials)
      built.objective.check(spec, stage.batch_size, config.accumulate)
    if config.model:
      continued.check(config)
    if config.workdir:
      workdir.check(config.workdir)
      workdir.check_same(config)

  def execute(self, progress: bool = True) -> dict[str, Any]:
    """Runs, continues or reuses the run; returns the content of result.json.

    One that has diverged would do so again, and is reused, too.

    Args:
      progress: show how it goes: a bar on a terminal, lines elsewhere.

    Raises:
      UsageError: its directory is taken, or its data cannot be read.
    """
    # 1. All processes agree on the configuration.
    # 2. A run that is at its end is reused.
    # 3. The data is opened, before the directory is made.
    # 4. The directory is made and held, against a second process.
    # 5. The run starts (`starting.start`): from its own checkpoint, from
    #    --model, or anew.
    # 6. It trains, part by part of the curriculum.
    # 7. It is measured, and result.json is written.
    config, began = self.config, time.monotonic()
    machines.use_threads(config.workdir)
    distributed.require_same(_flags(config))
    finished = _finished(config)
    if finished is not None:
      return finished
    enable_compilation_cache(config.data.cache)
    # A corpus that cannot be read leaves no directory behind.
    with distributed.raise_everywhere():
      dataset = _dataset(config)
    distributed.require_same({"--data.corpus": dataset.fingerprint})
    with contextlib.ExitStack() as stack:
      with distributed.raise_everywhere():
        directory = workdir.create(config.workdir)
        if distributed.is_first():
          stack.enter_context(checkpoint.hold(directory))
      distributed.require_shared(directory)
      advice = "; the same command goes on from the last checkpoint"
      stack.enter_context(
        disk.disk_errors_as_usage(f"--workdir={config.workdir}", advice)
      )
      # Another process may have been faster.
      finished = _finished(config)
      return finished or _train(config, directory, dataset, progress, began)


def _dataset(config: Config) -> RowSource:
  """The rows: of a corpus, or of a task's examples."""
  if not config.task:
    return rows_lib.load(config.data, config.length)
  from lm_jax.finetuning import dataset

  return dataset.load(config)


def _flags(config: Config) -> dict[str, Any]:
  """Returns what must be the same in all processes of a run, by flag."""
  values = dict(config_lib.flat(config))
  del values["data.cache"]
  versions = {"jax": jax.__version__, "lm_jax": version.__version__}
  return versions | {f"--{path}": value for path, value in values.items()}


def _finished(config: Config) -> dict[str, Any] | None:
  """The result, if the run is at its end, which all processes must see."""
  with distributed.raise_everywhere():
    finished = result_lib.finished(config)
  where = f"{result_lib.path(config)}: status"
  distributed.require_same({where: finished and finished["status"]})
  return finished


def _train(
  config: Config,
  directory: Path,
  dataset: RowSource,
  progress: bool,
  began: float,
) -> dict[str, Any]:
  title = config.name or config.objective
  shown = progress and distributed.is_first()
  earlier = 0.0  # of the sessions before this one

  def wall() -> float:
    return round(earlier + time.monotonic() - began, 3)

  # Raises where there are too few rows for a batch.
  dataset.batch(config_lib.seeds_of(config).order, 0, config.batch_size)
  program = make_program(config, dataset)
  parts = curriculum.parts(config, dataset, program)
  base = None
  if config.adapt:
    base = load.read_base(config, f"--workdir={config.workdir}")
    held = base.model.params
    program = program.with_held(held)
    parts = [
      dataclasses.replace(part, program=part.program.with_held(held))
      for part in parts
    ]
  budget = Budget.parse(config.budget)
  steps = budget.steps(program.flops, program.positions)
  validation = dataset.fixed(
    "validation",
    config.batch_size,
    limit_rows=VALIDATION_BATCHES * config.batch_size,
  )

  def own_loss(state: State) -> dict[str, float]:
    loss = program.validation_loss(state.params, validation)
    return {VALIDATION_LOSS: loss}

  measured = yardstick.make(config, dataset, program)

  def along(state: State) -> dict[str, float]:
    # TFDS is first imported here, and while it is, its lazy imports reach
    # every thread: orbax's, too, which then fails in the middle of a save.
    checkpoints.wait()
    if config.eval in ("final", "none"):
      return {}
    measure = own_loss(state)
    return (
      measure if config.eval == "loss" else measure | measured.evaluate(state)
    )

  stamp = identity.stamp(config, dataset, base.digest if base else "")

  def save(state: State, ledger: Ledger, evaluated: dict[str, float]) -> None:
    meta = stamp | {"ledger": ledger.as_dict(), "history": history}
    meta |= {"wall_seconds": wall()} | measured.meta()
    checkpoints.save(ledger.steps, state, meta, evaluated)

  # Noted while anything has to be saved, the last checkpoint included.
  with (
    Interruption() as interruption,
    checkpoint.Checkpoints(
      directory / "checkpoints",
      config.keep_last,
      config.keep_every,
      best_metric=measured.metric,
      highest=measured.highest,
    ) as checkpoints,
  ):
    state, ledger, history = starting.start(
      config, dataset, program, checkpoints, base
    )
    # What can be wrong with the input has shown by now: from here on the
    # directory is this run's.
    _describe(directory, config, dataset)
    first = distributed.is_first()
    made_by = machines.note(directory, ledger.steps) if first else []
    meta = checkpoints.meta() or {}
    # Of a run of before these are kept, only the training steps are known.
    earlier = float(meta.get("wall_seconds", ledger.seconds))
    measured.resume(meta)
    checkpoints.prefer(measured.metric)
    every = config.eval_every or -(-(steps or 1000) // EVALUATIONS)
    status, error = train.STAGE_DONE, None
    with MetricsLog(directory, ledger.steps) if first else NoLog() as log:
      for part in parts:
        if status == train.STAGE_DONE:
          with contextlib.closing(part.batches(ledger.steps)) as batches:
            status, state, error = train.fit(
              part.program,
              state,
              ledger,
              batches,
              budget,
              train.Intervals(
                config.log_every,
                every,
                every if measured.always else config.checkpoint_every,
                config.skip_limit,
              ),
              train.Hooks(log.write, along, save, measured.should_stop),
              interruption,
              title=title,
              progress=shown,
              until=part.until,
              epochs=part.epochs,
            )
  if distributed.anywhere(interruption.noted) and status == status_lib.DONE:
    status = status_lib.INTERRUPTED
  result = result_lib.make(
    config, program, status, error, state, ledger, history
  )
  result.machines = made_by
  if base is not None:
    result.base = base.digest
  if status == status_lib.DONE:
    # Measuring takes a while, and is done again if it is cut short.
    cut_short = dataclasses.replace(result, status=status_lib.INTERRUPTED)
    result_lib.write(config, cut_short)
    metrics: dict[str, float] = {}
    if config.eval != "none":
      Progress(title, shown).say("measuring")
      metrics = own_loss(state)
    if config.eval in ("all", "final"):
      with checkpoint.Checkpoints(
        directory / "checkpoints", read_only=True
      ) as checkpoints:
        measure = measured.evaluate_best(state, checkpoints)
      metrics |= measure.metrics
      result.items = measure.items
      collapsed = measure.constant or tasks_base.constant(measure.predictions)
      result.constant = collapsed or None
      if distributed.is_first() and measure.predictions:
        lines = [json.dumps(p, ensure_ascii=False) for p in measure.predictions]
        text = "\n".join(lines) + "\n"
        write_atomically(directory / "predictions.jsonl", text)
    result.metrics = metrics
    result.more = measured.result()
  result.wall_seconds = wall()
  result_lib.write(config, result)
  return result.as_dict()


def _describe(directory: Path, config: Config, dataset: RowSource) -> None:
  """Writes what the run is: its tokenizer and its configuration.

  The result of another configuration, if there is one, is no longer its own.
  """
  if not distributed.is_first():
    return
  if workdir.check_same(config):
    result_lib.path(config).unlink(missing_ok=True)
  for name, content in dataset.tokenizer.files().items():
    write_atomically(directory / name, content)
  if config.model:
    source_files.keep(config.model, directory)
  resolved = config_lib.resolve(config)
  write_atomically(directory / "config.json", config_lib.to_json(resolved))
