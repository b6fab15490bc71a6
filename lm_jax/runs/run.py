"""One run: from its configuration to result.json."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import jax

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config import phases as phases_lib
from lm_jax.config.budget import Budget
from lm_jax.data import rows as rows_lib
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.data.row_source import RowSource
from lm_jax.devices import distributed
from lm_jax.inference import continued, load
from lm_jax.runs import benchmark, branching, sentences
from lm_jax.runs import result as result_lib
from lm_jax.runs.session import Pace, Session, train_session
from lm_jax.storage import (
  checkpoint,
  disk,
  identity,
  machines,
  tracking,
  workdir,
)
from lm_jax.support import version
from lm_jax.training import curriculum
from lm_jax.training import parts as parts_lib
from lm_jax.training.assemble import (
  check_phases,
  enable_compilation_cache,
  make_program,
)

ALONE = Pace()


class Run:
  """One run: its configuration is resolved, built and checked here, once.

  config: with what it leaves open filled in, as the run in its directory has
    it, if there is one.

  Raises:
    UsageError: the run is impossible; nothing is compiled or written.
  """

  def __init__(self, config: Config):
    config = phases_lib.with_last(workdir.adopted(config))
    self.config = config = config_lib.with_packing(config)
    config_lib.build(config)
    identity.check_names(config)
    tracking.check(config.trackers)
    benchmark.check(config)
    specials = specials_of(config.data)
    # The tokenizer does not exist yet; an objective asks for no more than this.
    size = max(config.data.vocabulary_size, specials.ids[-1] + 2)
    for stage in curriculum.stages(config):
      check_phases(config, stage.length, stage.batch_size, size, specials)
    if config.model:
      continued.check(config)
    if config.workdir:
      workdir.check(config.workdir)
      workdir.check_same(config)

  def execute(
    self, progress: bool = True, pace: Pace = ALONE
  ) -> dict[str, Any]:
    """Runs, continues or reuses the run; returns the content of result.json.

    One that has diverged would do so again, and is reused, too.

    Args:
      progress: show how it goes: a bar on a terminal, lines elsewhere.
      pace: of its steps, if others go along.

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
    config, began = self.config, pace.wall()
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
      return finished or _train(config, dataset, progress, began, pace)


def _dataset(config: Config) -> RowSource:
  """The rows: of a corpus, or of a task's examples."""
  if not config.task:
    dataset = rows_lib.load(config.data, config.length)
    sentences.require(config, dataset)
    return dataset
  from lm_jax.finetuning import dataset as examples

  return examples.load(config)


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
  dataset: RowSource,
  progress: bool,
  began: float,
  pace: Pace,
) -> dict[str, Any]:
  # Raises where there are too few rows for a batch.
  dataset.batch(config_lib.seeds_of(config).order, 0, config.batch_size)
  program = make_program(config, dataset)
  parts = parts_lib.parts(config, dataset, program)
  if pace is not ALONE:
    program = pace.program(program)
    parts = [dataclasses.replace(part, program=program) for part in parts]
  base = None
  if config.adapt:
    base = load.read_base(config, f"--workdir={config.workdir}")
    held = base.model.params
    program = program.with_held(held)
    parts = [
      dataclasses.replace(part, program=part.program.with_held(held))
      for part in parts
    ]
  Budget.parse(config.budget).steps(program.flops, program.positions)
  session = Session(
    *(config, dataset, program, parts, progress, began, base), pace=pace
  )
  if config.branches:
    session = branching.with_branches(session)
  return train_session(session)
