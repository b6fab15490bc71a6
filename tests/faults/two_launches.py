"""Two launches on one run directory.

The second one starts at a random instant of the first one's life.
"""

from __future__ import annotations

import random
import signal
import time

from . import forking, launching

HOLDS = "the second is refused and told who holds it; the first goes on"
SHORT, LONG = 1, 20


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  # What is prepared and compiled once is not waited for again.
  forking.finish(launching.train_command(folder / "warm", corpus), folder)
  return corpus


def trial(seed, folder, corpus):
  rng = random.Random(seed)
  command = launching.train_command(
    folder / "run", corpus, budget="steps:100000", eval_every=0
  )
  first = forking.start(command, folder)
  lock = folder / "run" / "lock"
  first.until(lambda: lock.exists() and lock.read_text() != "")
  time.sleep(rng.uniform(0, 3))
  second = forking.finish(command, folder, code=2)
  (said,) = second.errors()
  assert f"in use by process {first.pid} on " in said, said
  assert second.output.count("\n") == 1, second.output
  first.send(signal.SIGTERM)
  assert first.wait() == 75, first.why()
