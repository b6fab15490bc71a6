"""A reader process is killed while a run trains.

One of two, at a random instant.
"""

from __future__ import annotations

import os
import random
import signal
import time

from . import forking, launching, leftovers

HOLDS = "a clear error within 5 s; no orphan, no leaked shared memory"
SHORT, LONG = 1, 20


def command(folder, corpus):
  return launching.train_command(
    folder,
    corpus,
    budget="steps:1000000",
    eval_every=0,
    checkpoint_every=100,
    data__workers=2,
  )


def training(folder, corpus) -> forking.Run:
  """A run with two readers that has trained some steps."""
  run = forking.start(command(folder / "run", corpus), folder)
  metrics = folder / "run" / "metrics.jsonl"
  run.until(
    lambda: metrics.exists() and metrics.read_text().count("\n") > 20, 120
  )
  assert run.code is None, run.why()
  return run


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  # What is prepared and compiled once is not waited for again.
  run = training(folder, corpus)
  # To all, as a batch scheduler does: the readers leave it to the parent.
  os.killpg(run.pid, signal.SIGTERM)
  assert run.wait(60) == 75, run.why()
  return corpus


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  before = leftovers.shared_memory()
  run = training(folder, corpus)
  time.sleep(rng.uniform(0, 1))
  readers = leftovers.readers(run.pid)
  assert len(readers) == 2, readers
  victim = rng.choice(readers)
  os.kill(victim, signal.SIGKILL)
  start = time.monotonic()
  told = f"a reader process, {victim}, was killed by SIGKILL"
  run.until(lambda: told in run.output)
  seconds = time.monotonic() - start
  # jax takes a while to end where the machine is busy.
  run.wait(60)
  assert told in run.output, "it did not say what was wrong"
  assert seconds < 5, f"it took {seconds:.1f} s to say what was wrong"
  more = run.output.partition(told)[2].partition("\n")[2]
  assert not more, f"more was said: {more}"
  assert run.code == 1, f"exit code {run.code}"
  leftovers.gone(run.pid, before)
