"""A run directory that becomes read-only.

Either under the running process (chattr +i, or for others than root chmod), or
between two launches (root only: its file system is mounted read-only).
"""

from __future__ import annotations

import random
import signal

from . import forking, places, runs

HOLDS = (
  "named error, last good checkpoint intact, goes on when it can be written "
  "to the metrics and digest of the uninterrupted run"
)
SHORT, LONG = 1, 10
STEPS, INTERVAL = 200, 10


def setup(folder):
  return runs.References(
    folder, STEPS, checkpoint_every=INTERVAL, eval_every=100
  )


def trial(seed, folder, shared):
  rng = random.Random(seed)
  expected = shared.get("clm")
  place = folder / "disk"
  with places.small(place, 20 << 10) as mounted:
    workdir = place / "run"
    arguments = shared.command(workdir, "clm")
    run = forking.start(arguments, folder)
    first = workdir / "checkpoints" / str(INTERVAL * rng.randint(1, 5))
    run.until(first.exists)
    if mounted and seed % 2:
      run.send(signal.SIGTERM)
      assert run.wait() == 75, run.why()
      places.remount(place, "ro")
      _refused(arguments, folder)
      places.remount(place, "rw")
    else:
      with places.immutable(workdir, workdir / "checkpoints"):
        assert run.wait() == 2, f"exit code {run.code}: {run.why()}"
        (said,) = run.errors()
        assert f"--workdir={workdir}: can't be written: " in said, said
        runs.check_restorable(workdir)
        _refused(arguments, folder)
    assert runs.check_restorable(workdir), "nothing is left"
    forking.finish(arguments, folder)
    runs.check_equal(workdir, expected.workdir)


def _refused(arguments, folder):
  again = forking.finish(arguments, folder, code=2)
  (said,) = again.errors()
  assert "can't be written" in said, said
