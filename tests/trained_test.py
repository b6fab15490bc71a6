"""Training that goes on from the model of another run."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny import metrics, pretrain, result_of, states

from lm_jax import assemble, checkpoint, run, trained
from lm_jax import config as config_lib
from lm_jax.data import rows as rows_lib
from lm_jax.types import UsageError

OTHER_TRUNK = {"layers": 1, "width": 16, "heads": 2, "feedforward": 64}


def test_model_goes_on_from_its_parameters_alone(finished, tmp_path):
  config = dataclasses.replace(
    finished,
    model=finished.workdir,
    workdir=str(tmp_path),
    seed=1,
    budget="steps:2",
  )
  dataset = rows_lib.load(config.data, config.length)
  program = assemble.make_program(config, dataset)
  with checkpoint.Checkpoints(tmp_path / "checkpoints") as none_yet:
    state, ledger = run.start(config, dataset, program, none_yet)
  old = states(finished)[6]
  assert checkpoint.digest(state.params) == checkpoint.digest(old.params)
  new = program.initial(np.uint32(1))
  assert checkpoint.digest(state.optimizer) == checkpoint.digest(new.optimizer)
  assert (int(state.step), ledger.steps) == (0, 0)
  # It starts where the other ended, below where a new one starts.
  assert pretrain(config)["status"] == "done"
  losses = [x["loss"] for x in metrics(tmp_path) if "loss" in x]
  begun, ended = (
    [x["loss"] for x in metrics(finished.workdir) if "loss" in x][i]
    for i in (0, -1)
  )
  assert abs(losses[0] - ended) < abs(losses[0] - begun)


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    ({"trunk": OTHER_TRUNK}, "--trunk.width=16: .* has 32"),
    ({"objective": "mlm"}, "--architecture=encoder: .* causal_decoder"),
    ({"trunk": {"norm": "rmsnorm"}}, "--trunk.layers=.* has 1"),
  ],
)
def test_model_of_another_shape_is_refused(
  finished, tmp_path, changes, message
):
  config = dataclasses.replace(
    finished, model=finished.workdir, workdir=str(tmp_path), **changes
  )
  with pytest.raises(UsageError, match=message) as raised:
    run.check(config)
  assert "\n" not in str(raised.value)


def test_model_with_other_parameters_is_refused(finished, tiny, tmp_path):
  """Here a head that the one objective has and the other lacks."""
  old, new = tmp_path / "old", tmp_path / "new"
  config = tiny.config(new, objective="rtd", model=str(old))
  old.mkdir()
  shutil.copy(Path(finished.workdir, trained.TOKENIZER), old)
  other = dataclasses.replace(config, objective="mlm", model="")
  (old / "config.json").write_text(config_lib.to_json(other))
  with pytest.raises(UsageError, match=r"--objective=mlm .* absent"):
    pretrain(config)
  assert not new.exists()


def test_model_of_other_tokens_is_refused(finished, tiny, tmp_path):
  config = dataclasses.replace(
    finished,
    model=finished.workdir,
    workdir=str(tmp_path),
    data=tiny.data(tokenizer="characters"),
  )
  with pytest.raises(UsageError, match=r"other tokens .*tokenizer\.json"):
    pretrain(config)
  assert not (tmp_path / "config.json").exists()


def test_model_may_come_from_other_devices(finished, tmp_path):
  """--mesh says where a run computes, not what it is."""
  shutil.copytree(finished.workdir, tmp_path, dirs_exist_ok=True)
  text = (tmp_path / "config.json").read_text()
  text = text.replace('"mesh": ""', '"mesh": "data=2,tensor=4"')
  (tmp_path / "config.json").write_text(text)
  params = trained.load(str(tmp_path)).params
  assert checkpoint.digest(params) == result_of(finished)["digest"]
