"""Imports that are interrupted, or find the disk full."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import foreign_model
import pytest
from foreign_model import run

import lm_jax
from lm_jax.storage import checkpoint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def large(cache, tmp_path_factory):
  """A model of some 50 MB, and the digest of an import that is left alone."""
  folder = tmp_path_factory.mktemp("large")
  changes = {"n_embd": 512, "n_head": 8, "n_layer": 4}
  foreign_model.build(folder / "theirs", **changes)
  assert run("import", folder / "theirs", workdir=folder / "run") == 0
  result = json.loads((folder / "run" / "result.json").read_text())
  return folder / "theirs", result["digest"]


def _start(theirs, workdir, before="pass", **kwargs):
  code = f"import sys; from lm_jax import cli; {before}; sys.exit(cli.main("
  argv = ["import", f"--model={theirs}", f"--workdir={workdir}"]
  return subprocess.Popen(
    [sys.executable, "-c", f"{code}{argv}))"],
    cwd=ROOT,
    stderr=subprocess.PIPE,
    text=True,
    **kwargs,
  )


def _await_work(process, workdir):
  """Waits until a process has the run directory for itself."""
  lock = workdir / "lock"
  while not (lock.exists() and f"process {process.pid} " in lock.read_text()):
    assert process.poll() is None, process.stderr.read()
    time.sleep(0.001)


def test_an_interrupted_import_is_begun_again(large, tmp_path):
  theirs, digest = large
  workdir = tmp_path / "run"
  killed = 0
  for seconds in (0.3, 0.3, 0.1):  # of the half that it takes from there
    with _start(theirs, workdir) as process:
      _await_work(process, workdir)
      time.sleep(seconds * random.random())
      process.kill()
    killed += not (workdir / "result.json").exists()
  assert killed
  for _ in range(5):  # On a busy machine it may be done before the signal.
    with _start(theirs, workdir) as process:
      _await_work(process, workdir)
      process.send_signal(signal.SIGINT)
      _, line = process.communicate()
    if process.returncode:
      break
    shutil.rmtree(workdir)
  assert (process.returncode, line.count("\n")) == (75, 1), line
  assert "interrupted; the same command goes on" in line
  assert run("import", theirs, workdir=workdir) == 0
  assert json.loads((workdir / "result.json").read_text())["digest"] == digest
  model = lm_jax.load(workdir)
  assert checkpoint.digest(model._params) == digest
  assert {p.name for p in (workdir / "checkpoints").iterdir()} == {"0"}


def test_a_disk_that_fills_meanwhile_is_said(large, tmp_path):
  """A limit on the size of files is what a full disk is, for one process."""
  theirs, digest = large
  workdir = tmp_path / "run"
  limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1 << 20,) * 2)"
  with _start(theirs, workdir, limit) as process:
    _, said = process.communicate()
  assert process.returncode == 2, said
  # Orbax logs the same for each array that it could not write, and its threads
  # write tracebacks in pieces, one of which may stand before our line.
  assert said.count("lm_jax: ") == 1
  message = r"lm_jax: --workdir=\S*run: can't be written: .*File too large\n"
  assert re.search(message, said)
  assert run("import", theirs, workdir=workdir) == 0
  assert json.loads((workdir / "result.json").read_text())["digest"] == digest
