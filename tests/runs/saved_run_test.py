"""A run that commit 5e19550 saved goes on and gives the bits that it had there.

run_of_5e19550.tar.gz holds a corpus and a run of that commit (the flags below),
as if it had been killed after step 3 of 6: checkpoint 3, config.json, the
tokenizer and the lines of metrics.jsonl until then. It was made on an Intel
Xeon with AVX-512; bits differ among processors.
"""

import json
import os
import pathlib
import tarfile

import processes
import pytest

SAVED = pathlib.Path(__file__).with_name("run_of_5e19550.tar.gz")
# Of the parameters after step 6, as that commit had them.
DIGEST = "f9990aa13da3af9276c3152aed009182e0ea92e935f6f2f59c55ed63bda87a4c"
VALIDATION_LOSS = 5.841588466982298
FLAGS = (
  *("--objective=mlm", "--trunk.layers=1", "--trunk.width=16"),
  *("--trunk.heads=2", "--trunk.feedforward=32", "--data.corpus=corpus/*.txt"),
  *("--data.tokenizer=bytes", "--data.cache=cache", "--length=32"),
  *("--batch_size=4", "--budget=steps:6", "--checkpoint_every=3"),
  *("--keep_last=9", "--eval_every=3", "--log_every=1"),
)


def _train(folder, workdir):
  # Compiled as users compile, not as quickly as the tests are.
  env = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
  done = processes.python(
    *(
      str(processes.ROOT / "launch.py"),
      "train",
      *FLAGS,
      f"--workdir={workdir}",
    ),
    cwd=folder,
    env=env | {"PYTHONPATH": str(processes.ROOT)},
  )
  assert done.returncode == 0, done.stderr
  return json.loads((folder / workdir / "result.json").read_text())


def _losses(folder, workdir):
  lines = (folder / workdir / "metrics.jsonl").read_text().splitlines()
  return {
    values["step"]: values["loss"]
    for values in map(json.loads, lines)
    if "loss" in values
  }


def test_a_run_that_was_saved_before_goes_on_with_the_same_bits(tmp_path):
  with tarfile.open(SAVED) as archive:
    archive.extractall(tmp_path, filter="data")
  before = _losses(tmp_path, "run")
  assert list(before) == [1, 2, 3]
  continued = _train(tmp_path, "run")
  assert continued["step"] == 6
  after = _losses(tmp_path, "run")
  assert {step: after[step] for step in before} == before
  loss = continued["metrics"]["validation_loss"]
  assert loss == pytest.approx(VALIDATION_LOSS, rel=1e-4)
  anew = _train(tmp_path, "anew")
  if {step: _losses(tmp_path, "anew")[step] for step in before} == before:
    # This processor rounds as that one did: all bits are the same.
    assert continued["digest"] == anew["digest"] == DIGEST
