import dataclasses
import json
import os
import signal

import pytest

from lm_jax.runs.launchers._slurm import job as job_lib
from lm_jax.runs.launchers._slurm import queue
from lm_jax.runs.launchers._slurm.job import Job


class Ended(BaseException):
  """Stands in for the end of the process."""


@pytest.fixture
def job(tmp_path):
  return Job(json.dumps({"workdir": str(tmp_path)}), (), 2)


@pytest.fixture
def requeued(monkeypatch):
  """The signals that submitit's handler got, which requeues and exits."""
  requeued = []

  def handler(number, frame):
    requeued.append(number)
    raise SystemExit(-1)

  def ended(code):
    raise Ended(code)

  monkeypatch.setattr(os, "_exit", ended)
  monkeypatch.setenv("SLURM_JOB_ID", "7")
  before = {
    number: signal.getsignal(number)
    for number in (signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
  }
  signal.signal(signal.SIGUSR2, handler)
  yield requeued
  for number, own in before.items():
    signal.signal(number, own)
  # `Interruption.ignore` leaves others ignored.
  for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGXCPU):
    signal.signal(number, signal.SIG_DFL)


def _ends(monkeypatch, status):
  monkeypatch.setattr(Job, "_run", lambda self: status)


@pytest.mark.parametrize(
  ("status", "code"), [("done", 0), ("failed", 1), ("diverged", 3)]
)
def test_a_run_at_its_end_is_not_requeued(
  job, requeued, monkeypatch, status, code
):
  _ends(monkeypatch, status)
  with pytest.raises(SystemExit) as error:
    job()
  assert error.value.code == code and requeued == []


@pytest.mark.parametrize("how", ["status", "signal"])
def test_an_interrupted_run_is_requeued(job, requeued, monkeypatch, how):
  def signalled(self):
    signal.raise_signal(signal.SIGUSR2)
    raise AssertionError("the signal was lost")

  _ends(monkeypatch, "interrupted")
  if how == "signal":  # outside of the training steps
    monkeypatch.setattr(Job, "_run", signalled)
  monkeypatch.setattr(queue, "state_of", lambda number: "RUNNING")
  with pytest.raises(Ended) as error:
    job()
  assert error.value.args == (75,)
  assert requeued == [signal.SIGUSR2]


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", ""])
def test_a_cancelled_job_stays_dead(job, requeued, monkeypatch, state):
  _ends(monkeypatch, "interrupted")
  monkeypatch.setattr(queue, "state_of", lambda number: state)
  with pytest.raises(Ended) as error:
    job()
  assert error.value.args == (75,) and requeued == []


def test_a_controller_that_is_away_is_asked_again(job, requeued, monkeypatch):
  answers, asked = [None, None, "RUNNING"], []

  def state_of(number):
    asked.append(number)
    return answers.pop(0)

  _ends(monkeypatch, "interrupted")
  monkeypatch.setattr(queue, "state_of", state_of)
  monkeypatch.setattr(job_lib.time, "sleep", lambda _: None)
  # The last job of an array has the array's own number.
  monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
  monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
  with pytest.raises(Ended):
    job()
  assert asked == ["7_3"] * 3 and requeued


def test_a_job_that_makes_no_step_is_given_up(job, tmp_path):
  pytest.importorskip("submitit", reason="pip install 'lm_jax[slurm]'")

  def again(before):
    submission = before.checkpoint()
    return submission and submission.function

  def save(step):
    (tmp_path / "checkpoints" / str(step)).mkdir(parents=True)

  save(10)
  first = again(job)
  assert first == dataclasses.replace(job, step=10, idle=0)
  idle = again(first)
  assert idle.idle == 1
  # A save that was cut short is no step.
  (tmp_path / "checkpoints" / "20.orbax-checkpoint-tmp").mkdir()
  assert again(idle).idle == 2
  assert again(again(idle)) is None
  save(30)
  assert again(again(idle)).idle == 1
  assert again(dataclasses.replace(idle, idle=2)).idle == 0


def test_submitit_gets_what_it_can_call(job):
  # It looks for this method before it requeues.
  assert callable(job) and callable(job.checkpoint)
