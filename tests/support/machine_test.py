"""The same bits on however many cores a run goes on."""

import json
import os
import subprocess
import sys

import pytest

from lm_jax.support import machine

# Takes a number of cores, one of threads (0: as it comes), prints bits.
PROGRAM = """
import os, sys
cores, threads = map(int, sys.argv[1:])
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
from lm_jax.support import machine
assert not threads or machine.use_threads(threads)
import jax, numpy as np
x = np.random.default_rng(0).normal(size=(1024, 128)).astype("float32")
bits = [jax.jit(f)(x).tobytes().hex() for f in (
  lambda x: x.sum(), lambda x: (x.T @ x).sum(0))]
assert machine.use_threads(machine.threads())
assert not machine.use_threads(99)  # jax has looked for devices
print(machine.facts()["threads"], *bits)
"""


def start(cores, threads):
  environment = {k: v for k, v in os.environ.items() if "NPROC" not in k}
  return subprocess.Popen(
    [sys.executable, "-c", PROGRAM, str(cores), str(threads)],
    stdout=subprocess.PIPE,
    text=True,
    env=environment | {"JAX_PLATFORMS": "cpu"},
  )


@pytest.mark.skipif(
  not hasattr(os, "sched_setaffinity"), reason="cores can't be taken away"
)
def test_threads_not_cores_decide_about_bits():
  processes = [start(1, 0), start(1, 2), start(2, 0)]
  found = [process.communicate()[0].split() for process in processes]
  one, one_as_two, two = found
  assert one[0] == "1" and one_as_two[0] == "2"
  if machine.cores() > 1:
    assert one_as_two == two
  # Else this test would hold of anything.
  assert one[1:] != one_as_two[1:]


def test_facts_are_for_json():
  facts = machine.facts()
  assert json.loads(json.dumps(facts)) == facts
  assert {"lm_jax", "jax", "jaxlib", "python", "processor"} <= set(facts)
  assert all(facts.values())


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "99999", "²"])
def test_a_number_of_threads_that_is_none_is_not_read(text, monkeypatch):
  monkeypatch.delenv("NPROC", raising=False)
  monkeypatch.setenv("PJRT_NPROC", text)
  assert machine.threads() == machine.cores()
  monkeypatch.setenv("PJRT_NPROC", "3")
  assert machine.threads() == 3
