"""Questions to a real SLURM of one node, about jobs that only sleep."""

import pytest
import slurm

from lm_jax.runs.launchers._slurm import queue
from lm_jax.support.errors import UsageError

pytestmark = pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing())


@pytest.fixture(scope="module")
def cluster():
  with slurm.OneNode(MaxArraySize=21) as node:
    yield node
    processes = node.processes()
  assert processes and not node.processes()
  assert not node.directory.exists()


@pytest.fixture(autouse=True)
def environment(cluster, monkeypatch):
  monkeypatch.setenv("SLURM_CONF", cluster.environment["SLURM_CONF"])


def _submit(cluster, *words):
  line = cluster.client("sbatch", "--output=/dev/null", *words)
  return line.split()[-1]


def test_jobs_are_known_by_name_whatever_the_controller_does(cluster):
  array = _submit(
    cluster, "--array=0-2%1", "--job-name=mine", "--wrap=sleep 50"
  )
  other = _submit(cluster, "--job-name=other", "--wrap=exit 3")
  tasks = [f"{array}_{i}" for i in range(3)]
  slurm.until(lambda: queue.state_of(tasks[0]) == queue.RUNNING)
  assert queue.state_of(tasks[2]) == "PENDING"
  slurm.until(lambda: queue.jobs(["other"])[other].state == "FAILED")
  jobs = queue.jobs(["mine", "another's"])
  assert sorted(jobs) == tasks
  assert {job.name for job in jobs.values()} == {"mine"}
  assert [jobs[task].alive for task in tasks] == [True] * 3
  cluster.stop_controller()
  cluster.start_controller()
  assert sorted(queue.jobs(["mine"])) == tasks
  queue.cancel("mine")

  def cancelled():
    states = {job.state for job in queue.jobs(["mine"]).values()}
    return states == {queue.CANCELLED}

  slurm.until(cancelled)
  assert queue.jobs(["unknown"]) == {}


def test_what_slurm_allows(cluster):
  assert queue.largest_array() == 20
  queue.test_submission({"partition": "main", "cpus-per-task": 2, "time": 1})
  with pytest.raises(UsageError, match="--partition=gpu: refused: .*partition"):
    queue.test_submission({"partition": "gpu"})
  with pytest.raises(UsageError, match="generic resource"):
    queue.test_submission({"gpus-per-node": 1})
  # Jobs wait for a node that is down.
  node = cluster.client("sinfo", "--noheader", "--format=%N").strip()
  update = ("scontrol", "update", f"NodeName={node}")
  cluster.client(*update, "State=DRAIN", "Reason=test")
  queue.test_submission({"time": 1})
