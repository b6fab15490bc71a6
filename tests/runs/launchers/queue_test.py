"""Questions to SLURM, put to programs that stand in for its own."""

import os

import pytest

from lm_jax.runs.launchers._slurm import queue
from lm_jax.runs.launchers._slurm.queue import JobState
from lm_jax.support.errors import UsageError


@pytest.fixture
def program(tmp_path, monkeypatch):
  """Writes a program of SLURM's as a script."""
  monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

  def write(name, script):
    path = tmp_path / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)

  return write


def test_absent_programs_are_named(tmp_path, monkeypatch):
  monkeypatch.setenv("PATH", str(tmp_path))
  with pytest.raises(UsageError, match="sbatch, squeue, .* not in PATH"):
    queue.require_programs()


def test_jobs_by_number(program):
  program(
    "squeue",
    'echo "$@" | grep -q -- --name=a,b || exit 1\n'
    "echo '12_3|a|PENDING|a|reason'; echo '13|b|TIMEOUT|None'",
  )
  jobs = queue.jobs(["a", "b"])
  assert jobs == {
    "12_3": JobState("a", "PENDING", "a|reason"),
    "13": JobState("b", "TIMEOUT", "None"),
  }
  assert jobs["12_3"].alive and not jobs["13"].alive


def test_no_answer_is_not_an_empty_queue(program):
  program("squeue", "echo 'Unable to contact slurm controller' >&2; exit 1")
  assert queue.jobs(["a"]) is None
  assert queue.state_of("12") is None
  program("squeue", "exit 0")
  assert queue.jobs(["a"]) == {}
  assert queue.state_of("12") == ""


@pytest.mark.parametrize(
  ("line", "most"),
  [("MaxArraySize            = 51", 50), ("MaxJobCount = 9", 1000)],
)
def test_the_largest_array(program, line, most):
  program("scontrol", f"echo '{line}'")
  assert queue.largest_array() == most


def test_a_refusal_is_one_line_with_slurms_reason(program):
  program(
    "sbatch", "echo 'sbatch: error: no'; printf 'a\\n\\nb\\na\\n' >&2; exit 1"
  )
  options = {"partition": "x", "time": 3}
  with pytest.raises(UsageError) as error:
    queue.test_submission(options)
  assert str(error.value) == (
    "--launcher=slurm: sbatch --partition=x --time=3: refused: a; b"
  )
  program("sbatch", "exit 0")
  queue.test_submission(options)


def test_a_job_that_submits_jobs_hides_its_own_variables(monkeypatch):
  monkeypatch.setenv("SLURM_JOB_ID", "7")
  monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
  monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
  with queue.outside_of_jobs():
    assert "SLURM_CPUS_PER_TASK" not in os.environ
    assert os.environ["SLURM_CONF"] == "/etc/slurm.conf"
  assert os.environ["SLURM_CPUS_PER_TASK"] == "3"
