"""kill -9 of a training run at random instants.

A run is killed once or twice, anywhere from its first line to its last but
mostly while it trains; then it may end. Every objective has nine seeds in
turn, dropout is on.
"""

from __future__ import annotations

import random
import signal

from . import forking, launching, runs

HOLDS = (
  "metrics and digest of the uninterrupted run; at most one save interval is "
  "repeated, and what ran while a save was being written; every listed step "
  "restores"
)
SHORT, LONG = 1, 100
STEPS, INTERVAL = 100, 20


def setup(folder):
  return runs.References(
    folder, STEPS, checkpoint_every=INTERVAL, eval_every=50
  )


def trial(seed, folder, shared):
  rng = random.Random(seed)
  turn = seed // 9 % len(launching.OBJECTIVES)
  objective = launching.OBJECTIVES[turn]
  expected = shared.get(objective)
  workdir = folder / "run"
  arguments = shared.command(workdir, objective)
  for _ in range(rng.randint(1, 2)):
    run = forking.start(arguments, folder)
    runs.wait_for_an_instant(rng, run, workdir, expected, STEPS)
    run.send(signal.SIGKILL)
    if run.wait() != -signal.SIGKILL:
      break  # It was done before.
    check_what_is_left(workdir)
  last = forking.finish(arguments, folder)
  assert "Traceback" not in last.output, last.output[-2000:]
  runs.check_equal(workdir, expected.workdir)


def check_what_is_left(workdir):
  """All of it can be read, and little is lost."""
  steps = runs.check_restorable(workdir)
  logged = [line["step"] for line in runs.lines(workdir)]
  lost = max(logged, default=0) - max(steps, default=0)
  # A save that was still being written does not count yet; the one after it
  # would have waited for it.
  assert lost <= 2 * INTERVAL, f"{lost} steps are lost"
