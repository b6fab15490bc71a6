"""Training that goes on from the model of another run."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from absl import logging
from tiny import metrics, pretrain, result_of, states, without_yardsticks

from lm_jax import config as config_lib
from lm_jax import loaded_model
from lm_jax.data import rows as rows_lib
from lm_jax.inference import continued, load
from lm_jax.runs import run, starting
from lm_jax.storage import checkpoint
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble

OTHER_TRUNK = {"layers": 1, "width": 16, "heads": 2, "feedforward": 64}


def test_model_goes_on_from_its_parameters_alone(
  finished, tmp_path, monkeypatch
):
  without_yardsticks(monkeypatch)
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
    state, ledger, _ = starting.start(config, dataset, program, none_yet)
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
    (
      {"objective": "span_corruption", "architecture": "encoder_decoder"},
      "--architecture=encoder_decoder: .* causal_decoder",
    ),
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
    run.Run(config)
  assert "\n" not in str(raised.value)


def test_outputs_that_a_model_lacks_start_anew(
  tiny, tmp_path, caplog, monkeypatch
):
  """A generator and a head that the one objective has and the other lacks."""
  monkeypatch.setattr(logging.get_absl_logger(), "propagate", True)
  without_yardsticks(monkeypatch)
  base = tiny.config(tmp_path / "old", objective="mlm", budget="steps:2")
  assert pretrain(base)["status"] == "done"
  config = dataclasses.replace(
    base,
    objective="rtd",
    model=base.workdir,
    workdir=str(tmp_path / "new"),
    seed=1,
  )
  run.Run(config)
  model = load.load(base.workdir)
  program = assemble.make_program(config, model.tokenizer)
  params = flatten(continued.params_for(config, model.tokenizer, program))
  assert re.search(r"has no heads_replaced.* more: starts anew", caplog.text)
  old = flatten(model.params)
  start = flatten(program.initial(np.uint32(1)).params)
  assert params.keys() == start.keys()
  for name, value in params.items():
    is_new = name.startswith(("heads_", "stack_generator", "output_"))
    same = old.get(name) if not is_new else start[name]
    np.testing.assert_array_equal(value, same, err_msg=name)
  assert {n.split(".")[0] for n in params} > {"heads_replaced"}


def test_parameters_of_the_stack_must_agree(finished, tmp_path):
  """Rows that are longer than the table of positions."""
  base = dataclasses.replace(
    finished,
    workdir=str(tmp_path / "old"),
    trunk={**finished.trunk, "positions": "learned"},
  )
  (tmp_path / "old").mkdir()
  shutil.copy(Path(finished.workdir, loaded_model.TOKENIZER), tmp_path / "old")
  (tmp_path / "old" / "config.json").write_text(config_lib.to_json(base))
  longer = dataclasses.replace(
    base, model=base.workdir, workdir=str(tmp_path / "new"), length=64
  )
  with pytest.raises(UsageError, match=r"--length=32.*position_embedding"):
    pretrain(longer)
  assert not (tmp_path / "new").exists()


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
  params = load.load(str(tmp_path)).params
  assert checkpoint.digest(params) == result_of(finished)["digest"]
