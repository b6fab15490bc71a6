"""One of two processes killed, frozen or told to stop.

At a random instant, from the launch on, of a run of jax.distributed over the
loopback; the frozen one is killed when the other has ended, as a launcher does.
A trial that fails says when they did end: a busy machine is slow, and that is
not a hang, but it is not what must hold either.
"""

from __future__ import annotations

import pathlib
import random
import signal
import time
from collections.abc import Mapping

import apart
import xla_flags

from . import forking, launching

HOLDS = "nobody hangs over 30 s; a restart is bitwise equal"
SHORT, LONG = 1, 20

PATIENCE = 30  # seconds
# Who is gone before all have met is waited for so long.
JOIN = 15
STEPS = 40
_DEAD = "another task died"  # in what jax's coordination service says


def start(
  command: list[str],
  folder: pathlib.Path,
  devices: int,
  flags_of: Mapping[int, list[str]] | None = None,
  timeout: int = JOIN,
) -> list[forking.Run]:
  """Two processes of a run, with so many devices each.

  folder: what they say is written to files there.
  flags_of: more flags of a process, by its number.
  timeout: in seconds, until both are there.
  """
  port = apart.free_port()
  cluster = [f"--coordinator=127.0.0.1:{port}", "--num_processes=2"]
  return [
    forking.start(
      [
        *(*command, *cluster, f"--process_id={i}"),
        *(f"--join_timeout={timeout}", *(flags_of or {}).get(i, [])),
      ],
      folder,
      XLA_FLAGS=xla_flags.devices(devices),
    )
    for i in range(2)
  ]


def finish(command: list[str], folder: pathlib.Path, devices: int) -> None:
  """Runs a command by two processes to its end."""
  for process in start(command, folder, devices):
    code = process.wait(300)
    assert code == 0, f"{code}: {process.output[-2000:]}"


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  return {"corpus": corpus, "folder": folder, "undisturbed": {}}


def _undisturbed(devices, shared):
  """The run that nothing happens to, and how long it takes."""
  if devices not in shared["undisturbed"]:
    workdir = shared["folder"] / f"undisturbed{devices}"
    began = time.monotonic()
    command = _command(workdir, shared["corpus"])
    finish(command, shared["folder"], devices)
    shared["undisturbed"][devices] = workdir, time.monotonic() - began
  return shared["undisturbed"][devices]


def _command(workdir: pathlib.Path, corpus: pathlib.Path) -> list[str]:
  return launching.train_command(
    workdir, corpus, steps=STEPS, eval_every=STEPS, checkpoint_every=5
  )


def _require_end(process: forking.Run, pair: list[forking.Run], began: float):
  """Raises AssertionError unless a process ends within 30 s of an instant.

  It tells when both ended after all, or that they did not in 120 s.
  """

  def within(seconds):
    return lambda: time.monotonic() - began < seconds

  if not process.goes_on(within(PATIENCE)):
    return
  for each in pair:
    each.goes_on(within(4 * PATIENCE), 0.2)
  seconds = time.monotonic() - began
  codes = [each.code for each in pair]
  raise AssertionError(
    f"still there after {PATIENCE} s; after {seconds:.0f} s exit codes {codes}"
  )


def trial(seed, folder, shared):
  rng = random.Random(seed)
  devices = rng.choice((1, 2))
  what = rng.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM))
  number = rng.randrange(2)
  whole, seconds = _undisturbed(devices, shared)
  workdir = folder / "run"
  command = _command(workdir, shared["corpus"])
  pair = start(command, folder, devices)
  victim, other = pair[number], pair[1 - number]
  time.sleep(rng.uniform(0, seconds))
  told = victim.code is None and other.code is None
  victim.send(what)
  began = time.monotonic()
  _require_end(other, pair, began)
  if what == signal.SIGSTOP:
    victim.send(signal.SIGKILL)
  _require_end(victim, pair, began)
  codes = (victim.code, other.code)
  if told and what == signal.SIGTERM:
    # Both at the same step; or one that had nothing to save yet, alone.
    assert codes[0] in (75, -signal.SIGTERM, 0), codes
  if told and codes[1] not in (0, 75):
    said = other.output
    assert "lm_jax: " in said or _DEAD in said, f"{codes}: {said[-500:]}"
  finish(command, folder, devices)
  assert (
    launching.result(workdir)["digest"] == launching.result(whole)["digest"]
  )
  assert launching.metrics(workdir) == launching.metrics(whole)
