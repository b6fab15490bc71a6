"""Trains what stands in one directory, a run or a branch of one, to its end."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.budget import Budget, Ledger
from lm_jax.data import unigram
from lm_jax.data.row_source import RowSource
from lm_jax.devices import distributed
from lm_jax.hugging_face import source_files
from lm_jax.inference import load
from lm_jax.report import preregistered
from lm_jax.report.preregistered import tells
from lm_jax.runs import result as result_lib
from lm_jax.runs import starting, yardstick
from lm_jax.runs.yardstick import VALIDATION_LOSS
from lm_jax.storage import checkpoint, identity, machines, workdir
from lm_jax.storage.log import MetricsLog, NoLog, write_atomically
from lm_jax.storage.tracking import Tracking
from lm_jax.support import status as status_lib
from lm_jax.tasks import base as tasks_base
from lm_jax.training import events, train
from lm_jax.training.forks import Fork
from lm_jax.training.interruption import Interruption
from lm_jax.training.parts import Part
from lm_jax.training.plan import State, predicts_tokens
from lm_jax.training.program import Program
from lm_jax.training.progress import Progress

# Evaluations that a run has where --eval_every is 0.
EVALUATIONS = 5
# Held-out batches of the own-loss curve.
VALIDATION_BATCHES = 4

Start = tuple[State, Ledger, list[dict[str, Any]]]
Branch = Callable[[Fork, State, Ledger], int]


@dataclasses.dataclass(frozen=True)
class Pace:
  """Says how a run takes its steps: by default alone.

  program: gives the program whose steps it takes, for its own.
  clock: seconds of training.
  wall: seconds that it takes, by which those of several runs add up.
  together: how many take their steps as one.
  """

  program: Callable[[Program], Program] = lambda own: own
  clock: Callable[[], float] = lambda: time.perf_counter()
  wall: Callable[[], float] = time.monotonic
  together: int = 1


@dataclasses.dataclass(frozen=True)
class Session:
  """The means to train one directory.

  config: of the run; its workdir is the directory.
  program: of its last part.
  parts: its stages, ready to be compiled.
  began: the wall clock when the command began, in seconds.
  base: the model that it adapts, if it does.
  trunk: where it is a branch, the state and the ledger that it begins with.
  forks: its branches, which `branch` makes.
  pace: of all its steps.
  """

  config: Config
  dataset: RowSource
  program: Program
  parts: Sequence[Part]
  progress: bool
  began: float
  base: load.Base | None = None
  trunk: tuple[State, Ledger] | None = None
  forks: Sequence[Fork] = ()
  branch: Branch = lambda *_: 0
  pace: Pace = Pace()


def train_session(session: Session) -> dict[str, Any]:
  """Trains, measures and writes result.json; returns its content."""
  with Tracking(session.config) as tracking:
    result = _train_session(session, tracking)
    tracking.finish(result)
  return result


def _train_session(session: Session, tracking: Tracking) -> dict[str, Any]:
  config, directory = session.config, Path(session.config.workdir)
  dataset, program, base = session.dataset, session.program, session.base
  title = config.name or config.objective
  shown = session.progress and distributed.is_first()
  earlier = 0.0  # of the sessions before this one

  def wall() -> float:
    return round(earlier + session.pace.wall() - session.began, 3)

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

  plan = preregistered.of_run(directory)
  brief = session.trunk is not None
  measured = yardstick.make(config, dataset, program, brief)

  def along(state: State) -> dict[str, float]:
    # TFDS is first imported here, and while it is, its lazy imports reach
    # every thread: orbax's, too, which then fails in the middle of a save.
    checkpoints.wait()
    if config.eval in ("final", "none"):
      return {}
    measure = own_loss(state)
    if config.eval == "all":
      measure |= measured.evaluate(state)
    if plan is None:
      return measure
    # What decides a preregistered experiment is measured at the end alone, but
    # for the loss, which chooses checkpoints.
    return {
      name: value
      for name, value in measure.items()
      if name == VALIDATION_LOSS or not tells(plan.primary, name)
    }

  stamp = identity.stamp(config, dataset, base.digest if base else "")

  def save(state: State, ledger: Ledger, evaluated: dict[str, float]) -> None:
    meta = stamp | {"ledger": ledger.as_dict(), "history": history}
    meta |= {"wall_seconds": wall()} | measured.meta()
    checkpoints.save(ledger.steps, state, meta, evaluated)

  def branch(fork: Fork, state: State, ledger: Ledger) -> int:
    checkpoints.wait()  # what the branch begins from is safe
    return session.branch(fork, state, ledger)

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
      config, dataset, program, checkpoints, base, session.trunk
    )
    # What can be wrong with the input has shown by now: from here on the
    # directory is this run's.
    _describe(directory, config, dataset)
    first = distributed.is_first()
    made_by = (
      machines.note(directory, ledger.steps, session.pace.together)
      if first
      else []
    )
    meta = checkpoints.meta() or {}
    # Of a run of before these are kept, only the training steps are known.
    alone = 0.0 if session.trunk else ledger.seconds
    earlier = float(meta.get("wall_seconds", alone))
    measured.resume(meta)
    checkpoints.prefer(measured.metric)
    every = config.eval_every or -(-(steps or 1000) // EVALUATIONS)
    status, error = train.STAGE_DONE, None
    logs = MetricsLog(directory, ledger.steps, tracking) if first else NoLog()
    with logs as log:
      for part in session.parts:
        if status == train.STAGE_DONE:
          with contextlib.closing(part.batches(ledger.steps)) as batches:
            status, state, error = train.fit(
              part.program,
              state,
              ledger,
              batches,
              budget,
              events.Intervals(
                config.log_every,
                every,
                every if measured.always else config.checkpoint_every,
                config.skip_limit,
                config.stop_at if config.stop_at < 1 else None,
              ),
              events.Hooks(
                *(log.write, along, save, measured.should_stop, branch),
                session.pace.clock,
              ),
              interruption,
              title=title,
              progress=shown,
              until=part.until,
              epochs=part.epochs,
              forks=session.forks,
            )
  if distributed.anywhere(interruption.noted) and status == status_lib.DONE:
    status = status_lib.INTERRUPTED
  result = result_lib.make(
    config, program, status, error, state, ledger, history
  )
  result.machines = made_by
  result.words = dataset.words or None
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
      if not config.task and predicts_tokens(program.plan):
        result.unigram = unigram.cross_entropy(dataset, validation)
    if config.eval == "validation":
      metrics |= measured.evaluate_validation(state)
    if config.eval in ("all", "final"):
      with checkpoint.Checkpoints(
        directory / "checkpoints", read_only=True
      ) as checkpoints:
        measure = measured.evaluate_best(state, checkpoints)
      metrics |= measure.metrics
      result.items = measure.items
      collapsed = measure.constant or tasks_base.constant(measure.predictions)
      result.constant = collapsed or None
      result.likelihood = measure.likelihood or None
      if distributed.is_first() and measure.predictions:
        lines = [json.dumps(p, ensure_ascii=False) for p in measure.predictions]
        text = "\n".join(lines) + "\n"
        write_atomically(directory / "predictions.jsonl", text)
    result.metrics = metrics
    result.more = measured.result()
  if status == status_lib.PAUSED:
    result.more = {"stop_at": config.stop_at}
    if config.eval != "none":
      result.metrics = own_loss(state)
    if config.eval == "validation":
      result.metrics |= measured.evaluate_validation(state)
  if session.trunk:
    result.more |= {"begins": session.trunk[1].as_dict()}
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
