"""TERM, INT, HUP, USR1, USR2 and XCPU at random instants.

From the moment that a process has its handlers on: while it reads its data,
compiles, trains (mostly), saves, evaluates or measures. Some get several, as
schedulers send them.
"""

from __future__ import annotations

import pathlib
import random
import signal

from lm_jax.training.interruption import Interruption

from . import forking, launching, runs

HOLDS = (
  "current step saved, exit 75, nothing repeated; metrics and digest of the "
  "uninterrupted run"
)
SHORT, LONG = 1, 50
STEPS = 150


def setup(folder):
  return runs.References(folder, STEPS, checkpoint_every=0, eval_every=50)


def trial(seed, folder, shared):
  rng = random.Random(seed)
  objective = launching.OBJECTIVES[seed // 13 % len(launching.OBJECTIVES)]
  expected = shared.get(objective)
  workdir = folder / "run"
  arguments = shared.command(workdir, objective)
  for _ in range(2):
    run = forking.start(arguments, folder)
    run.goes_on(lambda pid=run.pid: not _handles(pid))
    done = runs.wait_for_an_instant(rng, run, workdir, expected, STEPS)
    for _ in range(rng.choice((1, 1, 3))):
      # A second INT aborts, which is for people.
      signals = Interruption.SIGNALS if not run.sent else _SEVERAL
      run.send(rng.choice(signals))
    code = run.wait()
    assert code == (0 if done else 75) or (code == 0 and _is_done(workdir)), (
      f"exit code {code}: {run.output[-1000:]}"
    )
    if code == 0:
      break
    logged = [line["step"] for line in runs.lines(workdir)]
    steps = runs.checkpoints(workdir)
    assert max(steps, default=0) >= max(logged, default=0), "a step is lost"
  forking.finish(arguments, folder)
  runs.check_equal(workdir, expected.workdir)


_SEVERAL = tuple(set(Interruption.SIGNALS) - {signal.SIGINT})


def _handles(pid):
  """Whether a process catches TERM; after its end it doesn't."""
  try:
    text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
  except OSError:
    return False
  mask = int(text.partition("SigCgt:")[2].split()[0], 16)
  return bool(mask >> (signal.SIGUSR2 - 1) & 1)


def _is_done(workdir):
  path = workdir / "result.json"
  return path.exists() and launching.result(workdir)["status"] == "done"
