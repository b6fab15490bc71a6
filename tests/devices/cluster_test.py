import pathlib
import sys

import apart
import jax
import pytest
from faults import forking, launching, two_processes

from lm_jax.devices import cluster
from lm_jax.devices.cluster import Cluster
from lm_jax.support.errors import UsageError

WHOLE = {"coordinator": "node1:1234", "num_processes": "4", "process_id": "3"}


def test_flags_of_a_cluster():
  assert cluster.from_flags({"seed": "1"}) is None
  assert cluster.from_flags({"distributed": "false"}) is None
  assert cluster.from_flags({"distributed": "true"}) == Cluster()
  assert cluster.from_flags(WHOLE) == Cluster("node1:1234", 4, 3)
  given = WHOLE | {"distributed": "true", "join_timeout": "9"}
  assert cluster.from_flags(given) == Cluster("node1:1234", 4, 3, 9)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"coordinator": "node1"}, "--coordinator=node1: must be HOST:PORT"),
    ({"coordinator": ":12"}, "--coordinator=:12: must be HOST:PORT"),
    ({"coordinator": "a:99999"}, "--coordinator=a:99999: must be HOST:PORT"),
    ({"num_processes": "0"}, "--num_processes=0: must be at least 1"),
    ({"process_id": "4"}, "--process_id=4: must be from 0 to 3"),
    ({"process_id": "-1"}, "--process_id=-1: must be from 0 to 3"),
    ({"process_id": "x"}, "--process_id=x: must be a whole number"),
    ({"distributed": "false"}, "--distributed=false: --coordinator is of"),
    ({"join_timeout": "0"}, "--join_timeout=0: must be at least 1"),
  ],
)
def test_flags_that_make_no_cluster(changes, message):
  with pytest.raises(UsageError) as error:
    cluster.from_flags(WHOLE | changes)
  assert message in str(error.value)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_all_three_flags_or_none(name):
  rest = {key: text for key, text in WHOLE.items() if key != name}
  with pytest.raises(UsageError, match=f"^--{name}: missing; "):
    cluster.from_flags(rest)


def ends(command, folder, others, timeout=two_processes.JOIN):
  """Exit codes and last words of two processes with different flags."""
  pair = two_processes.start(command, folder, 1, others, timeout)
  try:
    codes = [process.wait(90) for process in pair]
  finally:
    forking.kill_all()
  return codes, [process.output for process in pair]


def test_what_one_process_refuses_all_refuse(tmp_path):
  corpus = launching.write_corpus(tmp_path / "corpus", 2)
  command = launching.train_command(tmp_path / "run", corpus)
  for flag, message in (
    ("--seed=1", "lm_jax: --seed: process 1 has 1, process 0 has 0"),
    ("--trunk.heads=5", "--trunk.heads=5: must divide"),
  ):
    codes, said = ends(command, tmp_path, {1: [flag]})
    assert codes == [2, 2], said
    assert all(message in text for text in said), said
  assert not pathlib.Path(tmp_path, "run").exists()


def test_who_waits_in_vain_says_so(tmp_path):
  command = launching.train_command(tmp_path / "run", tmp_path)
  codes, said = ends(command, tmp_path, {1: ["--sise=tiny"]}, timeout=6)
  assert codes == [2, 2], said
  assert "not all 2 processes met within --join_timeout=6 s" in said[0]
  assert "--sise: train has no such flag" in said[1]


def _raised(*errors):
  """The last one, with those before as its causes."""
  cause = None
  for error in errors:
    error.__cause__ = cause
    cause = error
  return cause


GLOO = ValueError("Gloo AllGather failed: [pair.cc:525] Connection reset by p")


@pytest.mark.parametrize(
  ("error", "lost"),
  [
    (GLOO, True),
    (_raised(GLOO, RuntimeError("save failed"), ValueError("x")), True),
    (jax.errors.JaxRuntimeError("INTERNAL: Socket closed"), True),
    (_raised(jax.errors.JaxRuntimeError(""), ValueError("x")), True),
    (BrokenPipeError(32, "Broken pipe"), False),
    (_raised(KeyError("a"), ValueError("b")), False),
    (RuntimeError("a bug"), False),
  ],
)
def test_a_lost_peer_is_known_by_whatever_error_it_comes(error, lost):
  assert bool(cluster._lost(error)) == lost


PAIR = """
import os, signal, sys
import numpy as np
from lm_jax.devices import cluster

port, number = sys.argv[1:]
with cluster.joined(cluster.Cluster(f"127.0.0.1:{port}", 2, int(number), 60)):
  from jax.experimental import multihost_utils
  print("sum", multihost_utils.process_allgather(np.ones(3)).sum(), flush=True)
  if number == "1":
    os.kill(os.getpid(), signal.SIGKILL)
  try:
    multihost_utils.process_allgather(np.ones(5))
  except Exception as error:
    raise ValueError(f"a library met it: {error}") from None
"""


def test_who_is_left_says_so_and_standard_output_is_ours(tmp_path):
  port = str(apart.free_port())
  pair = [
    launching.start([sys.executable, "-c", PAIR, port, str(number)])
    for number in range(2)
  ]
  try:
    (out, err), (other, _) = [p.communicate(timeout=120) for p in pair]
  finally:
    for process in pair:
      process.kill()
  assert out == other == "sum 6.0\n"
  assert "Gloo" in err  # What it prints is there, and not on stdout.
  assert pair[0].returncode == 1, err
  assert "process 0 of 2: another process was lost" in err.splitlines()[-1]
  assert "goes on from what is saved" in err.splitlines()[-1]
  assert "Traceback" not in err
