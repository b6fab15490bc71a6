"""A training process is killed while it has reader processes.

With SIGKILL, at a random instant from its start on.
"""

from __future__ import annotations

import os
import random
import signal
import time

from . import launching, leftovers, reader_killed

HOLDS = "within 5 s no process is left, and no shared memory"
SHORT, LONG = 1, 20

setup = reader_killed.setup


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  before = leftovers.shared_memory()
  with launching.start(reader_killed.command(folder / "run", corpus)) as run:
    try:
      deadline = time.monotonic() + 120
      while not leftovers.readers(run.pid):
        assert run.poll() is None, run.communicate()[1][-2000:]
        assert time.monotonic() < deadline, "it never had a reader"
        time.sleep(0.01)
      time.sleep(rng.choice([0, rng.uniform(0, 0.3), rng.uniform(0, 5)]))
      assert len(leftovers.session(run.pid)) > 1
    finally:
      os.kill(run.pid, signal.SIGKILL)
    run.wait(60)
    leftovers.gone(run.pid, before)
