"""Two launches on one run directory.

The second one starts at a random instant of the first one's life.
"""

from __future__ import annotations

import random
import time

from . import launching

HOLDS = "the second is refused and told who holds it; the first goes on"
SHORT, LONG = 2, 20


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  # What is prepared and compiled once is not waited for again.
  launching.finish(launching.train_command(folder / "warm", corpus))
  return corpus


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  command = launching.train_command(
    folder / "run", corpus, budget="steps:3000", eval_every=0
  )
  with launching.start(command) as first:
    try:
      lock = folder / "run" / "lock"
      deadline = time.monotonic() + 60
      while not (lock.exists() and lock.read_text()):
        assert time.monotonic() < deadline, "the first never took the directory"
        assert first.poll() is None, first.communicate()[1]
        time.sleep(0.02)
      time.sleep(rng.uniform(0, 0.5))
      second = launching.finish(command, code=2)
      words = f"in use by process {first.pid} on "
      assert words in second.stderr, second.stderr
      assert second.stderr.count("\n") == 1, second.stderr
    finally:
      first.terminate()
    assert first.wait(60) == 75, first.stderr and first.stderr.read()
