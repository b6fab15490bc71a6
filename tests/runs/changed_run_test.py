"""A run whose configuration or corpus has changed: refused, or allowed."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from tiny import files, metrics, pretrain

from lm_jax import config as config_lib
from lm_jax.support.errors import UsageError


@pytest.fixture
def resumable(finished, tiny, tmp_path):
  """A copy of the run of a corpus that may be changed, without a result."""
  corpus, directory = tmp_path / "corpus", tmp_path / "run"
  shutil.copytree(tiny.corpus, corpus)
  data = tiny.data(corpus=str(corpus))
  config = dataclasses.replace(finished, workdir=str(directory), data=data)
  assert pretrain(config)["status"] == "done"
  (directory / "result.json").unlink()
  return config


def refusal(config):
  """The message that a run is refused with, nothing being overwritten."""
  before = files(config.workdir)
  with pytest.raises(UsageError) as error:
    pretrain(config)
  assert files(config.workdir) == before
  assert "\n" not in str(error.value)
  return str(error.value)


def change_corpus(config):
  Path(config.data.corpus, "00.txt").write_text("Quite another text. " * 9)


def test_a_corpus_that_changed_is_refused(resumable):
  change_corpus(resumable)
  assert (
    "checkpoint 6 is of another configuration (data.corpus: its content is"
    " another); name another directory, or go on all the same by"
    " --allow_change=data.corpus"
  ) in refusal(resumable)


@pytest.mark.parametrize("lost", [True, False])
def test_a_checkpoint_is_protected_whatever_config_json_says(resumable, lost):
  other = dataclasses.replace(resumable, seed=3, budget="steps:8")
  path = Path(resumable.workdir, "config.json")

  def meddle():
    path.unlink()
    if not lost:
      path.write_text(config_lib.to_json(config_lib.resolve(other)))

  kept = path.read_text()
  meddle()
  said = refusal(other)
  assert "checkpoint 6 is of another configuration (seed: 0 -> 3; " in said
  assert "--allow_change=seed,budget" in said
  # Nor is the result of one taken for that of the other.
  path.write_text(kept)
  pretrain(resumable)
  meddle()
  assert "(seed: 0 -> 3; " in refusal(other)


def test_what_is_allowed_is_changed_and_put_on_record(resumable):
  change_corpus(resumable)
  optimizer = dataclasses.replace(resumable.optimizer, learning_rate=1e-4)
  changed = dataclasses.replace(
    resumable, optimizer=optimizer, budget="steps:9"
  )
  for names in ((), ("data",), ("optimizer", "budget"), ("data", "budget")):
    refusal(dataclasses.replace(changed, allow_change=names))
  allowed = ("data", "optimizer", "budget")
  result = pretrain(dataclasses.replace(changed, allow_change=allowed))
  said = [
    "budget: steps:6 -> steps:9",
    "optimizer.learning_rate: 0.001 -> 0.0001",
    "data.corpus: its content is another",
  ]
  assert result["history"] == [{"step": 6, "changes": said}]
  assert (result["status"], result["step"]) == ("done", 9)
  assert config_lib.read(changed.workdir) == config_lib.resolve(changed)
  assert [x["step"] for x in metrics(changed.workdir) if "loss" in x] == [
    *range(1, 10)
  ]
  # It is now that run, and no longer the one before.
  again = dataclasses.replace(changed, allow_change=allowed)
  assert pretrain(changed) == pretrain(again) == result
  assert "budget: steps:9 -> steps:6" in refusal(resumable)
  # The next change comes after it.
  more = dataclasses.replace(
    changed, budget="steps:11", allow_change=("budget",)
  )
  assert [x["step"] for x in pretrain(more)["history"]] == [6, 9]


def test_a_change_that_the_arrays_do_not_fit_is_refused(resumable):
  wider = dataclasses.replace(
    resumable,
    trunk=resumable.trunk | {"feedforward": 96},
    allow_change=("trunk.feedforward",),
  )
  said = refusal(wider)
  assert said.startswith("--allow_change=trunk.feedforward: ")
  assert "float32[96, 32] was expected and float32[64, 32] is stored" in said
  typo = dataclasses.replace(resumable, allow_change=("optimizer.rate",))
  said = refusal(typo)
  assert "--allow_change=optimizer.rate: unknown" in said
  assert "optimizer.learning_rate" in said and " data.corpus," in said
