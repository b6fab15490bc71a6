"""A training process is killed while it has reader processes.

With SIGKILL, at a random instant from its start on.
"""

from __future__ import annotations

import random
import signal
import time

from . import forking, leftovers, reader_killed

HOLDS = "within 5 s no process is left, and no shared memory"
SHORT, LONG = 1, 20

setup = reader_killed.setup


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  before = leftovers.shared_memory()
  run = forking.start(reader_killed.command(folder / "run", corpus), folder)
  run.until(lambda: bool(leftovers.readers(run.pid)), 120)
  assert run.code is None, run.why()
  time.sleep(rng.choice([0, rng.uniform(0, 0.3), rng.uniform(0, 5)]))
  assert len(leftovers.session(run.pid)) > 1
  run.send(signal.SIGKILL)
  run.wait(60)
  leftovers.gone(run.pid, before)
