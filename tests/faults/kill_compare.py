"""kill -9, TERM or INT of `compare` at random instants, and of its processes.

Two runs at a time, in processes of their own, which die with their parent; in
every third trial one after another. Then the same command goes on to the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal

from . import forking, launching, runs

HOLDS = (
  "every run is there once, equal to those of a call that was not killed; no"
  " other directory is left, and no process"
)
SHORT, LONG = 1, 20
STEPS, SEEDS, OBJECTIVES = 60, 2, ("clm", "mlm")
_SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def command(workdir: pathlib.Path, corpus: pathlib.Path, parallel: int):
  """`launch.py compare` of tiny runs."""
  words = launching.train_command(
    workdir, corpus, steps=STEPS, checkpoint_every=20, eval_every=30
  )
  flags = [word for word in words if not word.startswith("--objective=")]
  flags[flags.index("train")] = "compare"
  own = (f"--objectives={','.join(OBJECTIVES)}", f"--seeds={SEEDS}")
  own = (*own, "--unranked")  # The corpus makes few pairs.
  return [*flags, *own, f"--parallel={parallel}", "--branches="]


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  whole = forking.finish(command(folder / "whole", corpus, 1), folder)
  return corpus, folder / "whole", whole.age()


def trial(seed, folder, shared):
  corpus, whole, seconds = shared
  rng = random.Random(seed)
  parallel = 1 if seed % 3 == 2 else 2
  words = command(folder / "e", corpus, parallel)
  for _ in range(rng.randint(1, 2)):
    run = forking.start(words, folder)
    instant = rng.uniform(0, seconds)
    if run.goes_on(lambda run=run, end=instant: run.age() < end):
      _hit(rng, run.pid)
    if run.wait() == 0:
      break
  last = forking.finish(words, folder)
  assert "Traceback" not in last.output, last.output[-2000:]
  names = sorted(p.name for p in (whole / "runs").iterdir())
  assert sorted(p.name for p in (folder / "e" / "runs").iterdir()) == names
  for name in names:
    runs.check_equal(folder / "e" / "runs" / name, whole / "runs" / name)
  record = json.loads((folder / "e" / "experiment.json").read_text())
  assert sorted(one["name"] for one in record["runs"]) == names
  assert not children(run.pid), "processes are left"


def _hit(rng: random.Random, pid: int) -> None:
  """Sends a signal to `compare`, or kills one of its processes."""
  own = children(pid)
  victim = rng.choice(own) if own and rng.random() < 0.3 else pid
  number = signal.SIGKILL if victim != pid else rng.choice(_SIGNALS)
  with contextlib.suppress(ProcessLookupError):  # It has just ended.
    os.kill(victim, number)


def children(pid: int) -> list[int]:
  """Returns the processes that a process has started, and theirs."""
  parents = {}
  for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
      fields = path.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
      continue
    parents[int(path.parent.name)] = int(fields[1])
  own = [child for child, parent in parents.items() if parent == pid]
  return own + [x for child in own for x in children(child)]
