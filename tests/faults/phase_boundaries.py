"""kill -9 within a step of each boundary between phases.

A run is killed before, at and after each boundary, again and again on its way;
every step is saved, so that it goes on from there. Then it may end.
"""

from __future__ import annotations

import signal

from . import forking, launching, runs

HOLDS = "metrics and digest of the uninterrupted run"
SHORT, LONG = 1, 20
STEPS = 12
# Flags, and the steps at which another phase begins.
KINDS = (
  ({"phases": "rtd:0.5,clm:0.5", "phase_schedule": "each"}, (6,)),
  ({"phases": "rtd:0.25,mlm:0.25,clm:0.5"}, (3, 6)),
  ({"phases": "clm:2,rtd:1", "phase_cycle": "steps:3"}, (2, 3)),
  ({"phases": "clm:0.25,mlm:0.75", "curriculum": "0.5:16"}, (3, 6)),
)


def setup(folder):
  return launching.write_corpus(folder / "corpus")


def trial(seed, folder, corpus):
  flags, boundaries = KINDS[seed % len(KINDS)]
  names = [part.split(":")[0] for part in flags["phases"].split(",")]

  def command(workdir):
    return launching.train_command(
      *(workdir, corpus, names[-1], STEPS),
      **{"checkpoint_every": 1, "eval": "loss", "data__packing": "packed"},
      **flags,
    )

  whole, parts = folder / "whole", folder / "parts"
  forking.finish(command(whole), folder)
  points = sorted({b + shift for b in boundaries for shift in (-1, 0, 1)})
  killed = 0
  for point in points:
    run = forking.start(command(parts), folder)
    run.until(lambda point=point: _last_step(parts) >= point)
    run.send(signal.SIGKILL)
    killed += run.wait() == -signal.SIGKILL
    runs.check_restorable(parts)
  assert killed == len(points)
  last = forking.finish(command(parts), folder)
  assert "Traceback" not in last.output, last.output[-2000:]
  runs.check_equal(parts, whole)


def _last_step(workdir):
  """The last step that was saved."""
  return max(runs.checkpoints(workdir), default=0)
