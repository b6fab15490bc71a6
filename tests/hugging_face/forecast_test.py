"""What will not export is known before anything is trained."""

import pytest

from lm_jax import cli
from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.hugging_face import forecast

SHAPE = {"layers": 2, "width": 32, "heads": 2, "feedforward": 48}


def _config(objective, preset, **trunk):
  narrow = {"embedding_width": 16} if preset == "albert" else {}
  return Config(
    objective=objective, trunk={"preset": preset} | SHAPE | narrow | trunk
  )


@pytest.mark.parametrize(
  ("objective", "preset", "architecture"),
  [
    ("span_corruption", "t5", "encoder_decoder"),
    ("prefix_lm", "t5", "encoder_decoder"),
    ("denoising", "bart", "encoder_decoder"),
    ("mlm", "roberta", "encoder"),
    ("mlm_sop", "albert", "encoder"),
    ("permutation_lm", "xlnet", "encoder"),
    ("clm", "gpt2", "causal_decoder"),
  ],
)
def test_a_preset_implies_its_architecture(objective, preset, architecture):
  config = _config(objective, preset)
  assert config_lib.build(config).trunk.architecture == architecture
  assert config_lib.resolve(config).architecture == architecture
  assert forecast.misfit(config) == ""


def test_what_is_asked_for_or_was_written_stays():
  asked = Config(
    objective="span_corruption",
    architecture="prefix_decoder",
    trunk={"preset": "t5"} | SHAPE,
  )
  assert config_lib.build(asked).trunk.architecture == "prefix_decoder"
  assert "--architecture=prefix_decoder" in forecast.misfit(asked)
  plain = Config(objective="span_corruption", trunk=SHAPE)
  assert config_lib.build(plain).trunk.architecture == "prefix_decoder"
  assert forecast.misfit(plain) == ""


@pytest.mark.parametrize(
  ("config", "message"),
  [
    (_config("clm", "bert"), "--architecture=causal_decoder is encoder"),
    (_config("mlm", "t5"), "T5 has no class with the outputs vocabulary"),
    (_config("rtd", "bert"), "BERT has no class with the outputs replaced"),
    (_config("mlm", "bert", norm="rmsnorm"), "--trunk.norm=rmsnorm is layer"),
  ],
  ids=range(4),
)
def test_what_does_not_export_is_told(config, message):
  told = forecast.misfit(config)
  assert told.startswith("--trunk.preset=") and message in told


def test_train_says_so_at_its_start(monkeypatch, tmp_path, capsys):
  from lm_jax.runs import run

  told = []

  def execute(self, progress=True):
    told.append(capsys.readouterr().err)
    return {"status": "done"}

  monkeypatch.setattr(run.Run, "execute", execute)
  argv = ["train", "--objective=clm", "--trunk.preset=bert", "--size=nano"]
  assert cli.main([*argv, f"--workdir={tmp_path / 'x'}"]) == 0
  assert len(told) == 1 and "will not export" in told[0]
