import pathlib

import jax
import numpy as np
import pytest
from faults import launching, two_processes
from jax.sharding import PartitionSpec

from lm_jax import distributed, sharding
from lm_jax.distributed import Cluster
from lm_jax.errors import UsageError

WHOLE = {"coordinator": "node1:1234", "num_processes": "4", "process_id": "3"}


def test_flags_of_a_cluster():
  assert distributed.cluster({"seed": "1"}) is None
  assert distributed.cluster({"distributed": "false"}) is None
  assert distributed.cluster({"distributed": "true"}) == Cluster()
  assert distributed.cluster(WHOLE) == Cluster("node1:1234", 4, 3)
  given = WHOLE | {"distributed": "true", "join_timeout": "9"}
  assert distributed.cluster(given) == Cluster("node1:1234", 4, 3, 9)


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
    distributed.cluster(WHOLE | changes)
  assert message in str(error.value)


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_all_three_flags_or_none(name):
  rest = {key: text for key, text in WHOLE.items() if key != name}
  with pytest.raises(UsageError, match=f"^--{name}: missing; "):
    distributed.cluster(rest)


def test_a_process_alone_agrees_with_itself():
  assert distributed.exchange("x") == ["x"]
  assert distributed.is_first()
  votes = distributed.Votes(1.5)
  assert votes.seconds(2.5) == 2.5
  assert not votes.stop(False, 2.5) and votes.stop(True, 2.5)
  with pytest.raises(UsageError, match="^mine$"), distributed.together():
    raise UsageError("mine")


@pytest.mark.parametrize(
  ("held", "count", "expected"),
  [
    ((0, 1), 4, (0, 2)),
    ((2, 3), 4, (1, 2)),
    ((3,), 4, (3, 4)),
    ((0, 1, 2, 3), 4, (0, 1)),
    ((0, 2), 4, (0, 1)),  # not contiguous: it reads all
    ((1, 2), 4, (0, 1)),  # not at a multiple of its size
  ],
)
def test_the_rows_a_process_reads(held, count, expected, monkeypatch):
  class Rows:
    spec = PartitionSpec(("data", "fsdp"))

    def addressable_devices_indices_map(self, shape):
      assert shape == (count,)
      # Two devices that split parameters hold the same rows.
      return {
        f"device {i} of {twice}": (slice(i, i + 1),)
        for i in held
        for twice in range(2)
      }

  class Mesh:
    shape = {"data": count // 2, "fsdp": 2}  # noqa: RUF012

  monkeypatch.setattr(sharding, "rows", lambda mesh: Rows())
  assert sharding.share(Mesh()) == expected


def test_put_and_fetch_on_one_process():
  mesh = sharding.make_mesh()
  tree = {"a": np.arange(6.0, dtype=np.float32)}
  placed = sharding.put(tree, {"a": sharding.replicated(mesh)})
  assert isinstance(placed["a"], jax.Array)
  np.testing.assert_array_equal(sharding.fetch(placed["a"]), tree["a"])


def ends(command, others, timeout=two_processes.JOIN):
  """Exit codes and last words of two processes with different flags."""
  pair = two_processes.start(command, 1, others, timeout)
  try:
    said = [process.communicate(timeout=90)[1] for process in pair]
  finally:
    for process in pair:
      process.kill()
  return [process.returncode for process in pair], said


def test_what_one_process_refuses_all_refuse(tmp_path):
  corpus = launching.write_corpus(tmp_path / "corpus", 2)
  command = launching.train_command(tmp_path / "run", corpus)
  for flag, message in (
    ("--seed=1", "lm_jax: --seed: process 1 has 1, process 0 has 0"),
    ("--trunk.heads=5", "--trunk.heads=5: must divide"),
  ):
    codes, said = ends(command, {1: [flag]})
    assert codes == [2, 2], said
    assert all(message in text for text in said), said
  assert not pathlib.Path(tmp_path, "run").exists()


def test_who_waits_in_vain_says_so(tmp_path):
  command = launching.train_command(tmp_path / "run", tmp_path)
  codes, said = ends(command, {1: ["--sise=tiny"]}, timeout=6)
  assert codes == [2, 2], said
  assert "not all 2 processes met within --join_timeout=6 s" in said[0]
  assert "--sise: train has no such flag" in said[1]
