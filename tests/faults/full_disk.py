"""A full disk.

Root mounts a file system of a random size for the run (tmpfs), which fills up
with its checkpoints; others get a limit on the size of files instead, so that
the arrays cannot be written.
"""

from __future__ import annotations

import random
import resource

from . import forking, places, runs

HOLDS = (
  "named error, last good checkpoint intact, goes on when there is room to "
  "the metrics and digest of the uninterrupted run"
)
SHORT, LONG = 1, 10
STEPS, INTERVAL = 60, 10
# About what the run's first files take, and what all of it does.
LEAST, MOST = 150, 1500


def setup(folder):
  return runs.References(
    folder,
    STEPS,
    checkpoint_every=INTERVAL,
    keep_every=INTERVAL,
    eval_every=30,
  )


def trial(seed, folder, shared):
  rng = random.Random(seed)
  expected = shared.get("clm")
  place = folder / "disk"
  with places.small(place, rng.randint(LEAST, MOST)) as mounted:
    workdir = place / "run"
    arguments = shared.command(workdir, "clm")
    run = forking.start(arguments, folder)
    if not mounted:
      limits = (rng.randint(20, 150) << 10,) * 2
      resource.prlimit(run.pid, resource.RLIMIT_FSIZE, limits)
    assert run.wait() == 2, f"exit code {run.code}: {run.why()}"
    (said,) = run.errors()
    words = "No space left on device" if mounted else "File too large"
    assert f"--workdir={workdir}: can't be written: {words}" in said, said
    runs.check_restorable(workdir)
    before = runs.checkpoints(workdir)
    if mounted:
      places.remount(place, "size=20m")
    last = forking.finish(arguments, folder)
    assert set(before) <= set(runs.checkpoints(workdir)), "one is lost"
    assert not last.errors(), last.output
    runs.check_equal(workdir, expected.workdir)
