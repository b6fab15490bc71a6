"""An experiment of runs that train nothing, and a SLURM that runs no job."""

import collections
import dataclasses

import pytest
from fake_runs import FakeRuns

from lm_jax.config import Config
from lm_jax.runs import grid, record
from lm_jax.runs.launchers._slurm import queue, submit
from lm_jax.runs.launchers._slurm.queue import JobState
from lm_jax.runs.launchers.base import Batch


class FakeSlurm:
  """Answers as SLURM does, of jobs that change state as a test says.

  states: of all jobs, by number.
  arrays: the names of runs of each, by the number of the array.
  """

  def __init__(self):
    self.states: dict[str, JobState] = {}
    self.arrays: dict[str, list[str]] = {}
    self.after = []
    self.cancelled = []
    self.answers = True
    self.most = 1000
    self.killed = collections.deque()  # what to raise at submissions, or None

  def jobs(self, names):
    if not self.answers:
      return None
    return {n: job for n, job in self.states.items() if job.name in names}

  def cancel(self, name):
    self.cancelled.append(name)
    for number, job in self.states.items():
      if job.name == name:
        self.states[number] = job._replace(state=queue.CANCELLED)

  def submit_array(self, runs, name, after):
    """Takes the place of Submitter._submit_array."""
    number = str(len(self.arrays) + 1)
    names = [run.config.name for run in runs]
    error = self.killed.popleft() if self.killed else None
    if isinstance(error, Exception):
      raise error
    self.arrays[number] = names
    self.after.append(after)
    for i in range(len(names)):
      task = f"{number}_{i}" if len(names) > 1 else number
      self.states[task] = JobState(name, "PENDING", "None")
    if error is not None:  # a kill after SLURM has got them
      raise error
    return number

  def ends(self, number, state="COMPLETED"):
    self.states[number] = self.states[number]._replace(state=state)


@pytest.fixture
def slurm(monkeypatch):
  fake = FakeSlurm()
  monkeypatch.setattr(queue, "jobs", fake.jobs)
  monkeypatch.setattr(queue, "cancel", fake.cancel)
  monkeypatch.setattr(queue, "largest_array", lambda: fake.most)
  monkeypatch.setattr(
    submit.Submitter,
    "_submit_array",
    lambda self, *args: fake.submit_array(*args),
  )
  return fake


@pytest.fixture
def trainer():
  return FakeRuns()


@pytest.fixture
def batch(tmp_path, trainer):
  arms = [Config(arm="a"), Config(arm="b", length=64)]
  configs = record.place(grid.cross(arms, {}, 2), str(tmp_path))
  runs = list(map(trainer.run, configs))
  return Batch(str(tmp_path), runs, 0, 2, True)


@pytest.fixture
def submitter(batch, slurm):
  """Makes a new one for each call of the command."""

  def make(**changes):
    own = dataclasses.replace(batch, **changes)
    return submit.Submitter(own, submit.Request({}, 90, 100, ()))

  return make
