"""`compare --launcher=slurm` on a real SLURM of one node."""

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import time

import pytest
import slurm

from tests.faults import launching

pytest.importorskip("submitit", reason="pip install 'lm_jax[slurm]'")
pytestmark = [
  pytest.mark.soak,
  pytest.mark.skipif(bool(slurm.missing()), reason=slurm.missing()),
]
# Steps of a run of a second, and of one that can be interrupted.
SHORT, LONG = 30, 400


@pytest.fixture(scope="module")
def node():
  with slurm.OneNode() as node:
    node.environment |= {
      "JAX_PLATFORMS": "cpu",
      # So that the bits would differ on a node that gives a job less.
      "PJRT_NPROC": "2",
    }
    yield node


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
  return launching.write_corpus(tmp_path_factory.mktemp("data") / "corpus")


@pytest.fixture(scope="module")
def local(tmp_path_factory, corpus, node):
  """Returns the results of local runs, by the number of steps."""
  known = {}

  def results(steps, seeds=1):
    if (steps, seeds) not in known:
      workdir = tmp_path_factory.mktemp("local")
      done = compare(node, workdir, corpus, steps, seeds, launcher=())
      ended(done)
      known[steps, seeds] = read(workdir)
    return known[steps, seeds]

  return results


def compare(node, workdir, corpus, steps, seeds=1, launcher=None):
  """Starts the command: two arms, three layers, dropout on."""
  if launcher is None:
    launcher = ("slurm", "--slurm.time=20")
  if launcher:
    launcher = (f"--launcher={launcher[0]}", *launcher[1:])
  flags = (
    *("--objectives=clm,mlm", f"--seeds={seeds}", f"--budget=steps:{steps}"),
    *("--length=128", "--batch_size=8", "--eval=none", "--log_every=1"),
    *("--trunk.layers=3", "--trunk.width=64", "--trunk.heads=2"),
    *("--trunk.feedforward=256", "--trunk.dropout=0.1", "--branches="),
    *("--optimizer.schedule=cosine", "--data.packing=document"),
    *(f"--data.corpus={corpus}", "--data.vocabulary_size=400"),
  )
  return subprocess.Popen(
    [
      *(sys.executable, "launch.py", "compare", f"--workdir={workdir}"),
      *(*flags, *launcher),
    ],
    cwd=launching.ROOT,
    env=node.environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )


def read(workdir):
  """Returns status, digest and step of each run, by name."""
  results = {}
  for path in sorted(workdir.glob("runs/*/result.json")):
    content = json.loads(path.read_text())
    keys = ("status", "digest", "step")
    results[path.parent.name] = tuple(content.get(key) for key in keys)
  return results


def steps_of(workdir, name):
  """Returns the steps of which the run has written something, in order."""
  lines = (workdir / "runs" / name / "metrics.jsonl").read_text().splitlines()
  return [json.loads(line)["step"] for line in lines]


def jobs_of(workdir):
  """Returns the job of each run, by its name."""
  path = workdir / "slurm" / "jobs.json"
  if not path.exists():
    return {}
  jobs = {}
  for one in json.loads(path.read_text())["submissions"]:
    for i, run in enumerate(one["runs"]):
      number = f"{one['job']}_{i}" if len(one["runs"]) > 1 else one["job"]
      jobs.setdefault(run, []).append(number)
  return jobs


def starts_of(workdir):
  """Counts how often submitit has begun a job, by its number."""
  counts = {}
  for path in workdir.glob("slurm/*_log.out"):
    number = path.name.removesuffix("_0_log.out")
    counts[number] = path.read_text().count("Starting with JobEnvironment")
  return counts


def until_step(workdir, name, step):
  """Waits until a run has logged a step."""

  def there():
    with contextlib.suppress(OSError, ValueError, IndexError):
      return steps_of(workdir, name)[-1] >= step

  slurm.until(there, 300, what=f"step {step} of {name}")


def ended(process, code=0, seconds=900, during=lambda: None):
  """Waits for a command; returns what it wrote to stderr."""
  deadline = time.monotonic() + seconds
  while True:
    assert time.monotonic() < deadline, "compare does not end"
    during()
    with contextlib.suppress(subprocess.TimeoutExpired):
      _, text = process.communicate(timeout=1)
      break
  assert process.returncode == code, text
  return text


def assert_once(workdir, names):
  """No run has made a step twice."""
  for name in names:
    steps = steps_of(workdir, name)
    assert len(steps) == len(set(steps)) and steps == sorted(steps), name


def test_an_array_of_eight_has_the_bits_of_local_runs(
  node, corpus, local, tmp_path
):
  # One processor for jobs whose runs have two threads.
  pinned = ("slurm", "--slurm.time=9", "--slurm.setup=taskset -pc 0 $$ >&2")
  process = compare(node, tmp_path, corpus, SHORT, 4, launcher=pinned)
  text = ended(process)
  assert len(re.findall(r"\[\d/8\] .*: done after", text)) == 8
  assert read(tmp_path) == local(SHORT, 4)
  assert set(starts_of(tmp_path).values()) == {1}
  assert len(starts_of(tmp_path)) == 8
  assert_once(tmp_path, read(tmp_path))
  # All is there: the same command needs no job.
  again = ended(compare(node, tmp_path, corpus, SHORT, 4))
  assert "8 of 8 runs are complete" in again
  assert len(starts_of(tmp_path)) == 8


def test_usr2_saves_and_requeues_and_a_controller_may_restart(
  node, corpus, local, tmp_path
):
  process = compare(node, tmp_path, corpus, LONG)
  until_step(tmp_path, "clm-seed0", 20)
  (job,) = jobs_of(tmp_path)["clm-seed0"]
  node.client("scancel", "--signal=USR2", job)
  slurm.until(lambda: node.jobs()[job] == "PENDING", what="requeued")
  first = read(tmp_path)["clm-seed0"]
  assert first[0] == "interrupted" and 20 <= first[2] < LONG
  # SLURM holds a job that was to start just then.
  until_step(tmp_path, "mlm-seed0", 5)
  node.stop_controller()
  time.sleep(10)
  node.start_controller()
  text = ended(process, during=node.hurry)
  assert "squeue gives no answer" in text
  assert starts_of(tmp_path) == {job: 2, jobs_of(tmp_path)["mlm-seed0"][0]: 1}
  assert read(tmp_path) == local(LONG)
  assert_once(tmp_path, read(tmp_path))


def test_a_cancelled_job_is_told_and_not_requeued(
  node, corpus, local, tmp_path
):
  process = compare(node, tmp_path, corpus, LONG)
  until_step(tmp_path, "clm-seed0", 20)
  (job,) = jobs_of(tmp_path)["clm-seed0"]
  node.client("scancel", job)
  text = ended(process, 75)
  assert f"clm-seed0: interrupted (job {job} was cancelled)" in text
  assert "mlm-seed0: done" in text
  assert node.jobs()[job] == "CANCELLED"
  assert read(tmp_path)["clm-seed0"][0] == "interrupted"  # and saved
  text = ended(compare(node, tmp_path, corpus, LONG))
  assert "1 run is submitted" in text
  assert starts_of(tmp_path)[job] == 1
  assert read(tmp_path) == local(LONG)
  assert_once(tmp_path, read(tmp_path))


def test_a_run_outlasts_the_limit_of_time(
  node, corpus, local, tmp_path, tmp_path_factory
):
  # A minute is the shortest limit that SLURM has, and it signals early.
  before = tmp_path_factory.mktemp("measured")
  ended(compare(node, before, corpus, LONG, launcher=()))
  path = before / "runs" / "mlm-seed0" / "result.json"
  seconds = json.loads(path.read_text())["ledger"]["seconds"]
  steps = max(LONG, int(LONG * 60 / seconds))
  limit = ("slurm", "--slurm.time=1", "--slurm.signal_delay=15")
  process = compare(node, tmp_path, corpus, steps, launcher=limit)
  ended(process, seconds=1800, during=node.hurry)
  assert max(starts_of(tmp_path).values()) > 1, "it was over within a minute"
  assert len(starts_of(tmp_path)) == 2  # no job was submitted again
  assert read(tmp_path) == local(steps)
  assert_once(tmp_path, read(tmp_path))


def test_a_run_that_fails_is_not_requeued(node, corpus, tmp_path):
  own = launching.write_corpus(tmp_path / "corpus")
  # It is there when the runs are checked, and not when they begin.
  gone = (
    "slurm",
    f"--slurm.setup=rm -rf {own}",
  )
  workdir = tmp_path / "experiment"
  text = ended(compare(node, workdir, own, SHORT, launcher=gone), 1)
  assert "clm-seed0: failed" in text
  assert {status for status, *_ in read(workdir).values()} == {"failed"}
  assert set(starts_of(workdir).values()) == {1}
  assert {node.jobs()[job] for job in starts_of(workdir)} == {"FAILED"}


def test_a_call_that_is_killed_leaves_no_run_out_and_none_twice(
  node, corpus, local, tmp_path
):
  draw = random.Random(0)
  for _ in range(6):
    process = compare(node, tmp_path, corpus, SHORT, 4)
    # Most of them while it submits.
    while not (tmp_path / "slurm").exists() and process.poll() is None:
      time.sleep(0.001)
    time.sleep(draw.choice((0, 0.02, 0.1, 0.3, 3)))
    process.kill()
    process.communicate()
    alive = node.active()
    jobs = jobs_of(tmp_path).values()
    assert all(sum(job in alive for job in own) <= 1 for own in jobs)
  ended(compare(node, tmp_path, corpus, SHORT, 4))
  assert read(tmp_path) == local(SHORT, 4)
  assert_once(tmp_path, read(tmp_path))


def test_the_script_of_the_docs_saves_requeues_and_can_be_cancelled(
  node, corpus, local, tmp_path
):
  workdir = tmp_path / "experiment"
  printing = compare(node, workdir, corpus, LONG, launcher=("print",))
  lines, _ = printing.communicate()
  (tmp_path / "runs.txt").write_text(lines)
  text = (launching.ROOT / "docs" / "slurm.md").read_text()
  script = re.search(r"```bash\n(#!.*?)```", text, re.DOTALL)[1]
  script = script.replace("--array=1-8%4", "--array=1-2")
  script = script.replace(" runs.txt", f" {tmp_path / 'runs.txt'}")
  (tmp_path / "script.sh").write_text(script)
  words = ("sbatch", f"--chdir={launching.ROOT}", "--output=/dev/null")
  array = node.client(*words, tmp_path / "script.sh").split()[-1]
  first, second = f"{array}_1", f"{array}_2"
  until_step(workdir, "clm-seed0", 20)
  # Several signals, as SLURM sends them; the last may come when it has ended.
  for name in ("CONT", "USR2", "TERM"):
    node.client("scancel", f"--signal={name}", first, check=False)
  slurm.until(lambda: node.jobs()[first] == "PENDING", what="requeued")
  assert read(workdir)["clm-seed0"][0] == "interrupted"
  # It waits for two minutes, and the other one starts.
  until_step(workdir, "mlm-seed0", 20)
  node.client("scancel", second)
  slurm.until(lambda: node.jobs()[second] == "CANCELLED", what="cancelled")
  node.hurry()
  slurm.until(lambda: node.jobs()[first] == "COMPLETED", 900)
  assert node.jobs()[second] == "CANCELLED"
  assert read(workdir)["clm-seed0"] == local(LONG)["clm-seed0"]
  assert_once(workdir, ["clm-seed0", "mlm-seed0"])


def test_it_need_not_wait(node, corpus, local, tmp_path):
  once = ("slurm", "--slurm.wait=false")
  text = ended(compare(node, tmp_path, corpus, LONG, launcher=once))
  assert "2 runs are submitted" in text
  text = ended(compare(node, tmp_path, corpus, LONG, launcher=once))
  assert "2 runs are still queued" in text and "submitted" not in text
  waiting = compare(node, tmp_path, corpus, LONG)
  until_step(tmp_path, "clm-seed0", 5)
  time.sleep(3)
  waiting.send_signal(signal.SIGINT)
  assert "jobs that go on: 2" in ended(waiting, 75)
  ended(compare(node, tmp_path, corpus, LONG))
  assert set(starts_of(tmp_path).values()) == {1}
  assert read(tmp_path) == local(LONG)
