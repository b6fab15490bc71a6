"""Stop and resume at every step of 40.

A real signal stops the run in each of its steps; what goes on is restored
from disk each time. An objective a trial.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal

from lm_jax.config.budget import Budget
from lm_jax.data import rows as rows_lib
from lm_jax.runs import run, starting
from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.digest import digest
from lm_jax.storage.log import MetricsLog
from lm_jax.training import events, train
from lm_jax.training.assemble import enable_compilation_cache, make_program
from lm_jax.training.interruption import Interruption

from . import launching

HOLDS = "bitwise equal metrics and digest"
SHORT, LONG = 1, len(launching.OBJECTIVES)
STEPS = 40


def setup(folder):
  return launching.write_corpus(folder / "corpus")


def trial(seed, folder, corpus):
  objective = launching.OBJECTIVES[seed % len(launching.OBJECTIVES)]
  command = launching.train_command(folder, corpus, objective, STEPS)
  config = launching.config_of(command)
  enable_compilation_cache(config.data.cache)
  dataset = rows_lib.load(config.data, config.length)
  program = make_program(config, dataset)
  whole, parts = folder / "whole", folder / "parts"
  expected = _go_on(config, dataset, program, whole, stop=False)
  assert expected.status == train.DONE
  for step in range(1, STEPS + 1):
    found = _go_on(config, dataset, program, parts, stop=True)
    assert found.status == train.INTERRUPTED
    assert int(found.state.step) == step
  found = _go_on(config, dataset, program, parts, stop=True)
  assert found.status == train.DONE
  assert digest(found.state) == digest(expected.state)
  lines = launching.metrics(parts)
  assert lines == launching.metrics(whole)
  assert [x["step"] for x in lines if "loss" in x] == [*range(1, STEPS + 1)]


def _go_on(config, dataset, program, workdir, stop):
  """Trains to the end, or one step, from what is on disk."""
  workdir.mkdir(exist_ok=True)
  config = dataclasses.replace(config, workdir=str(workdir))
  validation = dataset.fixed("validation", config.batch_size, 16)
  stamp = run.identity.stamp(config, dataset)

  def evaluate(state):
    loss = program.validation_loss(state.params, validation)
    return {"validation_loss": loss}

  with (
    Interruption() as interruption,
    Checkpoints(workdir / "checkpoints") as checkpoints,
  ):
    state, ledger, history = starting.start(
      config, dataset, program, checkpoints
    )
    start = ledger.steps

    def save(state, ledger, evaluated):
      meta = stamp | {"ledger": ledger.as_dict(), "history": history}
      checkpoints.save(ledger.steps, state, meta, evaluated)

    def batches():
      rows = dataset.batches(config.seed, config.batch_size, start)
      with contextlib.closing(rows):
        for batch in rows:
          if stop:
            os.kill(os.getpid(), signal.SIGTERM)
          yield batch

    with (
      contextlib.closing(batches()) as stream,
      MetricsLog(workdir, start) as log,
    ):
      return train.fit(
        program,
        state,
        ledger,
        stream,
        Budget.parse(config.budget),
        events.Intervals(1, config.eval_every, config.checkpoint_every),
        events.Hooks(log.write, evaluate, save),
        interruption,
        progress=False,
      )
