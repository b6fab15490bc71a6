"""A preparation is killed, or several prepare the same at once.

One or four processes prepare one corpus in one cache, of some seventy
chunks; at a random instant one of them may be killed by SIGKILL. Then a last
one prepares it once more.
"""

from __future__ import annotations

import hashlib
import random
import signal
import sys
import time

from . import launching, leftovers

HOLDS = "one valid cache with the undisturbed rows, no process, no litter"
SHORT, LONG = 2, 20

# Of the corpus's 300 kB, so that processes of its own tokenize it.
_PREPARE = """
import sys
from lm_jax.data import prepare, rows
from lm_jax.data.options import DataOptions

prepare.CHUNK_BYTES = 4000
prepare.processes = lambda: 2
rows.load(DataOptions(corpus=sys.argv[1], cache=sys.argv[2], sentinels=3,
                      vocabulary_size=600), 32)
"""


def _start(corpus, cache):
  return launching.start([sys.executable, "-c", _PREPARE, corpus, str(cache)])


def _contents(cache):
  """A hash of each file; of TFDS's, which name the time, that it is there.

  The table of hashes remembers no file that is younger than two seconds, so
  that how fast a process starts decides whether there is one.
  """
  found = {}
  for path in sorted(cache.rglob("*")):
    name = str(path.relative_to(cache))
    if path.is_file() and name != "hashes/table":
      data = b"" if name.startswith("tfds") else path.read_bytes()
      found[name] = hashlib.sha256(data).hexdigest()
  return found


def _finish(process):
  errors = process.communicate(timeout=300)[1]
  assert process.returncode == 0, errors[-2000:]


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus", documents=300)
  start = time.monotonic()
  with _start(corpus, folder / "cache") as process:
    _finish(process)
  seconds = time.monotonic() - start
  return corpus, _contents(folder / "cache"), seconds


def trial(seed, folder, shared):
  corpus, undisturbed, seconds = shared
  rng = random.Random(seed)
  before = leftovers.shared_memory()
  cache = folder / "cache"
  started = [_start(corpus, cache) for _ in range(rng.choice([1, 1, 4]))]
  victim = None
  try:
    if len(started) == 1 or rng.random() < 0.5:
      victim = rng.choice(started)
      time.sleep(rng.uniform(0, seconds))
      victim.send_signal(signal.SIGKILL)
      victim.wait()
      leftovers.gone(victim.pid, before)
    for process in started:
      if process is not victim:
        _finish(process)
  finally:
    for process in started:
      process.kill()
      process.communicate()
  with _start(corpus, cache) as last:
    _finish(last)
  found = _contents(cache)
  assert found.keys() == undisturbed.keys(), (
    f"in one only: {sorted(found.keys() ^ undisturbed.keys())}"
  )
  other = [name for name in found if found[name] != undisturbed[name]]
  assert not other, f"other contents: {other}"
  for process in [*started, last]:
    leftovers.gone(process.pid, before)
