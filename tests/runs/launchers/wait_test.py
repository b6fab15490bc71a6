import json
import pathlib
import re

import pytest

from lm_jax.runs.launchers._slurm import wait


@pytest.fixture
def days(monkeypatch):
  """Runs what stands in the list at each look, and fails after the last."""
  days = []

  def sleep(_):
    assert days, "it waits for nothing"
    day = days.pop(0)
    if day is not None:
      day()

  monkeypatch.setattr(wait.time, "sleep", sleep)
  return days


@pytest.fixture
def one(submitter, batch):
  """Submits the first run; a function that waits for it."""
  single = submitter(runs=batch.runs[:1])
  jobs = single.submit(single.batch.runs)
  assert jobs == {"a-seed0": "1"}
  return lambda: wait.wait(single, jobs)


def _result(batch, **content):
  path = pathlib.Path(batch.runs[0].config.workdir)
  path.mkdir(parents=True, exist_ok=True)
  content = {"metrics": {}, "eval": "all"} | content
  (path / "result.json").write_text(json.dumps(content))


def _checkpoint(batch, step):
  workdir = pathlib.Path(batch.runs[0].config.workdir)
  (workdir / "checkpoints" / str(step)).mkdir(parents=True)


def test_runs_end_one_after_another(submitter, batch, slurm, days, capsys):
  all_ = submitter()
  jobs = all_.submit(batch.runs)

  def end(i):
    batch.runs[i].execute()
    slurm.ends(f"1_{i}")

  days += [None, lambda: end(1), None, lambda: (end(0), end(2), end(3))]
  statuses = wait.wait(all_, jobs)
  assert statuses == dict.fromkeys(jobs, "done")
  lines = re.findall(r"\[\d/4\] (.*): done", capsys.readouterr().err)
  assert lines == ["a-seed1", "a-seed0", "b-seed0", "b-seed1"]


def test_a_result_may_show_a_little_later(one, batch, slurm, days):
  days += [lambda: slurm.ends("1"), batch.runs[0].execute]
  assert one() == {"a-seed0": "done"}


def test_a_requeued_job_is_waited_for(one, batch, slurm, days):
  def requeued():
    _result(batch, status="interrupted")
    slurm.ends("1", "PENDING")

  def done():
    batch.runs[0].execute()
    slurm.ends("1")

  days += [lambda: slurm.ends("1", "COMPLETING"), requeued, None, done]
  assert one() == {"a-seed0": "done"}
  assert list(slurm.arrays) == ["1"]


def test_a_cancelled_job_is_told(one, slurm, days, capsys):
  days += [lambda: slurm.ends("1", "CANCELLED"), None]
  assert one() == {"a-seed0": "interrupted"}
  assert "(job 1 was cancelled)" in capsys.readouterr().err
  assert list(slurm.arrays) == ["1"]


@pytest.mark.parametrize("state", ["TIMEOUT", "NODE_FAIL", "PREEMPTED"])
def test_an_end_from_outside_is_tried_once_more(
  one, slurm, days, state, capsys
):
  days += [lambda: slurm.ends("1", state), None]
  days += [lambda: slurm.ends("2", state), None]
  assert one() == {"a-seed0": "interrupted"}
  assert list(slurm.arrays) == ["1", "2"]
  error = capsys.readouterr().err
  assert f"a-seed0: job 1 ended ({state}); once more" in error
  assert f"interrupted (job 2 ended ({state}))" in error


def test_a_job_that_slurm_has_lost_is_submitted_again(
  one, batch, slurm, days, capsys
):
  days += [slurm.states.clear, None]
  days += [lambda: (batch.runs[0].execute(), slurm.ends("2"))]
  assert one() == {"a-seed0": "done"}
  assert "SLURM no longer knows job 1; once more" in capsys.readouterr().err


def test_it_is_tried_again_as_long_as_it_makes_steps(one, batch, slurm, days):
  def ends(number):
    _checkpoint(batch, 10 * number)
    slurm.ends(str(number), "TIMEOUT")

  for number in (1, 2, 3):
    days += [lambda number=number: ends(number), None]
  days += [lambda: (batch.runs[0].execute(), slurm.ends("4")), None]
  assert one() == {"a-seed0": "done"}


def test_a_failed_run_is_not_tried_again(one, batch, slurm, days):
  def fail():
    _result(batch, status="failed", error="wrong")
    slurm.ends("1", "FAILED")

  days += [fail, None]
  assert one() == {"a-seed0": "failed"}
  assert list(slurm.arrays) == ["1"]


@pytest.mark.parametrize(
  ("state", "jobs"), [("OUT_OF_MEMORY", 1), ("FAILED", 2)]
)
def test_a_job_without_a_result_is_a_failure_with_its_log(
  one, slurm, days, capsys, state, jobs
):
  # It may have been the node, or the controller as it started.
  for number in range(1, jobs + 1):
    days += [lambda number=number: slurm.ends(str(number), state), None]
  assert one() == {"a-seed0": "failed"}
  assert len(slurm.arrays) == jobs
  error = capsys.readouterr().err
  assert f"job {jobs} ended ({state}) without a result" in error
  assert f"slurm/{jobs}_0_log.err" in error


def test_a_controller_that_restarts(one, batch, slurm, days, capsys):
  def answer():
    slurm.answers = True
    batch.runs[0].execute()
    slurm.ends("1")

  days += [lambda: setattr(slurm, "answers", False), None, None, answer]
  assert one() == {"a-seed0": "done"}
  assert capsys.readouterr().err.count("squeue gives no answer") == 1


def test_a_job_that_cannot_start_is_told_once(one, batch, slurm, days, capsys):
  held = slurm.states["1"]._replace(reason="JobHeldUser")
  days += [lambda: slurm.states.update({"1": held}), None, None]
  days += [lambda: (batch.runs[0].execute(), slurm.ends("1"))]
  assert one() == {"a-seed0": "done"}
  assert capsys.readouterr().err.count("job 1 waits: JobHeldUser") == 1


def test_an_interruption_leaves_the_jobs(one, slurm, days, capsys):
  def interrupt():
    raise KeyboardInterrupt

  days += [None, interrupt]
  assert one() == {"a-seed0": "interrupted"}
  assert slurm.states["1"].alive and slurm.cancelled == []
  assert "jobs that go on: 1" in capsys.readouterr().err
