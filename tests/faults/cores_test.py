"""A run that goes on with fewer cores than it began with."""

import os
import signal
import subprocess
import time

import pytest

from lm_jax.storage import machines

from . import launching


def start(command, cores):
  """On the first `cores` of those that there are."""
  affinity = sorted(os.sched_getaffinity(0))[:cores]
  return subprocess.Popen(
    command,
    cwd=launching.ROOT,
    env=launching.environment(),
    stdout=subprocess.DEVNULL,
    preexec_fn=lambda: os.sched_setaffinity(0, affinity),
  )


@pytest.mark.soak
@pytest.mark.skipif(
  not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2,
  reason="takes two cores, one of which can be taken away",
)
def test_a_run_has_the_same_bits_on_one_core_and_on_two(tmp_path):
  corpus = launching.write_corpus(tmp_path / "corpus")
  digests = {}
  for name, cores in {"two": (2,), "one": (1,), "both": (2, 1)}.items():
    workdir = tmp_path / name
    command = launching.train_command(
      workdir,
      corpus,
      steps=40,
      length=128,
      trunk__layers=3,
      trunk__width=64,
      trunk__feedforward=256,
    )
    for number in cores:
      process = start(command, number)
      if len(cores) > 1 and number == cores[0]:
        while not (workdir / "checkpoints" / "10").exists():
          assert process.poll() is None
          time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 75
      else:
        assert process.wait() == 0
    digests[name] = launching.result(workdir)["digest"]
    assert len(machines.read(workdir)) == 1
  assert digests["both"] == digests["two"]
  assert digests["one"] != digests["two"]  # or nothing was tried
