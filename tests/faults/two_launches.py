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


class Shared:
  """A corpus, and a server; what is prepared once is not waited for again."""

  def __init__(self, folder):
    self.corpus = launching.write_corpus(folder / "corpus")
    self.server = forking.Server()
    warm = launching.train_command(folder / "warm", self.corpus)
    self.server.finish(warm, folder / "warm.txt")

  def close(self):
    self.server.close()


def setup(folder):
  return Shared(folder)


def trial(seed, folder, shared):
  rng = random.Random(seed)
  command = launching.train_command(
    folder / "run", shared.corpus, budget="steps:100000", eval_every=0
  )
  first = shared.server.start(command, folder / "first.txt")
  lock = folder / "run" / "lock"
  first.until(lock)
  while first.code is None and not lock.read_text():
    shared.server.listen(0.002)
  time.sleep(rng.uniform(0, 3))
  second = shared.server.finish(command, folder / "second.txt", code=2)
  (said,) = second.errors()
  assert f"in use by process {first.pid} on " in said, said
  assert second.output.count("\n") == 1, second.output
  first.send(signal.SIGTERM)
  assert first.wait() == 75, first.why()
