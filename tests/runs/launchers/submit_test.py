import subprocess
import sys

import pytest

from lm_jax.runs.launchers._slurm import submit
from lm_jax.runs.launchers._slurm.store import Store
from lm_jax.support.errors import UsageError

ALL = ["a-seed0", "a-seed1", "b-seed0", "b-seed1"]


def _submit_missing(submitter):
  jobs = submitter.queued()
  runs = [r for r in submitter.batch.runs if r.config.name not in jobs]
  return jobs | submitter.submit(runs)


def test_jobs_of_an_earlier_call_are_not_submitted_again(
  submitter, slurm, capsys
):
  jobs = _submit_missing(submitter())
  assert jobs == {name: f"1_{i}" for i, name in enumerate(ALL)}
  assert "4 runs are submitted: jobs 1_0 to 1_3" in capsys.readouterr().err
  assert _submit_missing(submitter()) == jobs
  assert list(slurm.arrays) == ["1"]
  assert "4 runs are still queued, from before" in capsys.readouterr().err
  # One of them has ended: only it is submitted.
  slurm.ends("1_1", "TIMEOUT")
  assert _submit_missing(submitter()) == {**jobs, "a-seed1": "2"}
  assert slurm.arrays["2"] == ["a-seed1"]


def test_what_has_ended_leaves_the_file(submitter, slurm, tmp_path):
  _submit_missing(submitter())
  for number in list(slurm.states):
    slurm.ends(number)
  assert submitter().queued() == {}
  assert Store(str(tmp_path)).names() == []
  # The controller forgets, after MinJobAge.
  _submit_missing(submitter())
  slurm.states.clear()
  assert submitter().queued() == {}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_that_was_killed_as_it_submitted(submitter, slurm, when):
  # KeyboardInterrupt is raised once SLURM has the jobs; a bug before.
  error = KeyboardInterrupt() if when == "after" else RuntimeError()
  slurm.killed.append(error)
  with pytest.raises(type(error)):
    _submit_missing(submitter())
  jobs = _submit_missing(submitter())
  assert sorted(jobs) == ALL
  alive = [n for n, job in slurm.states.items() if job.alive]
  assert sorted(alive) == sorted(jobs.values())
  assert len(slurm.cancelled) == 1


def test_a_refusal_leaves_nothing(submitter, slurm, tmp_path):
  slurm.killed.append(UsageError("no"))
  with pytest.raises(UsageError):
    _submit_missing(submitter())
  assert Store(str(tmp_path)).names() == []


def test_without_an_answer_nothing_is_submitted(submitter, slurm):
  _submit_missing(submitter())
  slurm.answers = False
  with pytest.raises(UsageError, match="squeue gives no answer"):
    _submit_missing(submitter())
  assert list(slurm.arrays) == ["1"]


def test_jobs_of_other_runs_are_left_alone(submitter, slurm, batch):
  _submit_missing(submitter())
  # --only, or an arm that was dropped.
  one = submitter(runs=batch.runs[:1])
  assert one.queued() == {"a-seed0": "1_0"}
  assert slurm.cancelled == []


def test_an_array_is_no_longer_than_slurm_allows(submitter, slurm):
  slurm.most = 3
  jobs = _submit_missing(submitter())
  assert list(jobs.values()) == ["1_0", "1_1", "1_2", "2"]
  # One after the other: the most at a time is that of an array.
  assert slurm.after == ["", "afterany:1"]


def test_a_damaged_file_is_named(submitter, tmp_path):
  _submit_missing(submitter())
  path = tmp_path / "slurm" / "jobs.json"
  path.write_text(path.read_text()[:-9])
  with pytest.raises(UsageError, match=str(path)):
    submitter()


@pytest.mark.parametrize("before", ["", "export PYTHONPATH=/nowhere"])
def test_a_job_finds_this_code_wherever_it_starts(before):
  module = submit.Job.__module__
  lines = [before, *submit.setup(), f"{sys.executable} -m {module}"]
  done = subprocess.run(
    ["bash", "-e", "-c", "\n".join(lines)],
    cwd="/",
    env={},
    capture_output=True,
    text=True,
    check=False,
  )
  assert not done.returncode, done.stderr
