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
import subprocess
import time
from collections.abc import Mapping

import apart
import xla_flags

from . import launching

HOLDS = "nobody hangs over 30 s; a restart is bitwise equal"
SHORT, LONG = 1, 20

PATIENCE = 30  # seconds
# Who is gone before all have met is waited for so long.
JOIN = 15
STEPS = 40
_DEAD = "another task died"  # in what jax's coordination service says


def start(
  command: list[str],
  devices: int,
  flags_of: Mapping[int, list[str]] | None = None,
  timeout: int = JOIN,
) -> list[subprocess.Popen[str]]:
  """Two processes of a run, with so many devices each.

  flags_of: more flags of a process, by its number.
  timeout: in seconds, until both are there.
  """
  port = apart.free_port()
  cluster = [f"--coordinator=127.0.0.1:{port}", "--num_processes=2"]
  return [
    launching.start(
      [
        *(*command, *cluster, f"--process_id={i}"),
        *(f"--join_timeout={timeout}", *(flags_of or {}).get(i, [])),
      ],
      launching.environment(XLA_FLAGS=xla_flags.devices(devices)),
    )
    for i in range(2)
  ]


def end(pair: list[subprocess.Popen[str]], seconds: float = 300) -> list[str]:
  """Waits for both, which must have done the run; what they said."""
  said = []
  try:
    for process in pair:
      out, err = process.communicate(timeout=seconds)
      assert process.returncode == 0, f"{process.returncode}: {err[-2000:]}"
      said.append(out + err)
  finally:
    for process in pair:
      process.kill()
  return said


def setup(folder):
  corpus = launching.write_corpus(folder / "corpus")
  return {"corpus": corpus, "folder": folder, "undisturbed": {}}


def _undisturbed(devices, shared):
  """The run that nothing happens to, and how long it takes."""
  if devices not in shared["undisturbed"]:
    workdir = shared["folder"] / f"undisturbed{devices}"
    began = time.monotonic()
    end(start(_command(workdir, shared["corpus"]), devices))
    shared["undisturbed"][devices] = workdir, time.monotonic() - began
  return shared["undisturbed"][devices]


def _command(workdir: pathlib.Path, corpus: pathlib.Path) -> list[str]:
  return launching.train_command(
    workdir, corpus, steps=STEPS, eval_every=STEPS, checkpoint_every=5
  )


def _later(pair: list[subprocess.Popen[str]], began: float) -> str:
  """When they ended after all, or that they did not in four times as long."""
  while time.monotonic() - began < 4 * PATIENCE:
    if all(process.poll() is not None for process in pair):
      codes = [process.returncode for process in pair]
      return f"ended after {time.monotonic() - began:.0f} s with {codes}"
    time.sleep(0.2)
  return f"exit codes after {4 * PATIENCE} s: {[p.poll() for p in pair]}"


def trial(seed, folder, shared):
  rng = random.Random(seed)
  devices = rng.choice((1, 2))
  what = rng.choice((signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM))
  number = rng.randrange(2)
  whole, seconds = _undisturbed(devices, shared)
  workdir = folder / "run"
  command = _command(workdir, shared["corpus"])
  pair = start(command, devices)
  victim, other = pair[number], pair[1 - number]
  try:
    time.sleep(rng.uniform(0, seconds))
    told = victim.poll() is None and other.poll() is None
    victim.send_signal(what)
    began = time.monotonic()
    # Whatever has to be read from a pipe is short.
    _, err = other.communicate(timeout=PATIENCE)
    if what == signal.SIGSTOP:
      victim.kill()
    left = PATIENCE - (time.monotonic() - began)
    victim.communicate(timeout=max(left, 1))
  except subprocess.TimeoutExpired as error:
    raise AssertionError(
      f"{what.name} to process {number}: still there after {PATIENCE} s;"
      f" {_later(pair, began)}"
    ) from error
  finally:
    for process in pair:
      process.kill()
  codes = (victim.returncode, other.returncode)
  if told and what == signal.SIGTERM:
    # Both at the same step; or one that had nothing to save yet, alone.
    assert codes[0] in (75, -signal.SIGTERM, 0), codes
  if told and codes[1] not in (0, 75):
    assert "lm_jax: " in err or _DEAD in err, f"{codes}: {err[-500:]}"
  end(start(command, devices))
  assert (
    launching.result(workdir)["digest"] == launching.result(whole)["digest"]
  )
  assert launching.metrics(workdir) == launching.metrics(whole)
