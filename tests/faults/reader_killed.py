"""A reader process is killed while a run trains.

One of two, at a random instant.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time

from . import launching, leftovers

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


def training(run: subprocess.Popen[str], folder) -> None:
  """Waits until a run has trained some steps."""
  metrics = folder / "metrics.jsonl"
  deadline = time.monotonic() + 120
  while not (metrics.exists() and metrics.read_text().count("\n") > 20):
    assert run.poll() is None, run.communicate()[1][-2000:]
    assert time.monotonic() < deadline, "it never began to train"
    time.sleep(0.02)


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  # What is prepared and compiled once is not waited for again.
  with launching.start(command(folder / "warm", corpus)) as run:
    try:
      training(run, folder / "warm")
    finally:
      # To all, as a batch scheduler does: the readers leave it to the parent.
      os.killpg(run.pid, signal.SIGTERM)
    errors = run.communicate(timeout=60)[1]
  assert run.returncode == 75, errors[-2000:]
  return corpus


def _line(run: subprocess.Popen[str], text: str) -> bool:
  """Reads standard error up to a line with a text in it, for a minute."""
  limit = threading.Timer(60, run.kill)
  limit.start()
  try:
    return any(text in line for line in run.stderr or ())
  finally:
    limit.cancel()


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  before = leftovers.shared_memory()
  with launching.start(command(folder / "run", corpus)) as run:
    try:
      training(run, folder / "run")
      time.sleep(rng.uniform(0, 1))
      readers = leftovers.readers(run.pid)
      assert len(readers) == 2, readers
      victim = rng.choice(readers)
      os.kill(victim, signal.SIGKILL)
      start = time.monotonic()
      told = _line(run, f"a reader process, {victim}, was killed by SIGKILL")
      seconds = time.monotonic() - start
      # jax takes a while to end where the machine is busy.
      errors = run.communicate(timeout=60)[1]
    finally:
      if run.poll() is None:
        run.kill()
  assert told, "it did not say what was wrong"
  assert seconds < 5, f"it took {seconds:.1f} s to say what was wrong"
  assert not errors, f"more was said: {errors}"
  assert run.returncode == 1, f"exit code {run.returncode}"
  leftovers.gone(run.pid, before)
