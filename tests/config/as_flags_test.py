"""A configuration's flags make it again."""

import dataclasses

import pytest

from lm_jax import config as config_lib
from lm_jax import experiments
from lm_jax.config import Config, overrides
from lm_jax.config.as_flags import as_flags
from lm_jax.storage import identity

ARMS = [
  pytest.param(arm, id=f"{name}-{arm.arm or arm.objective}")
  for name in experiments.names()
  for arm in experiments.load(name).runs()
]
OTHERS = [
  Config(
    objective="rtd", objective_options={"generator": 0.5}, seeds={"order": 3}
  ),
  Config(trunk={"preset": "t5"}, objective="span_corruption", size="nano"),
  Config(phases="clm:0.5,mlm(rate=0.3):0.5", phase_schedule="each"),
  Config(architecture="prefix_decoder", budget="seconds:30.5", mesh="data=1"),
  Config(objective="mlm", data=dataclasses.replace(Config().data, workers=2)),
]


@pytest.mark.parametrize("config", [*ARMS, *OTHERS])
@pytest.mark.parametrize("resolved", [False, True])
def test_flags_make_the_configuration_again(config, resolved):
  plain = dataclasses.replace(config, workdir="runs/a b", branches="")
  written = config_lib.resolve(plain) if resolved else plain
  words = as_flags(written)
  texts = dict(word[2:].split("=", 1) for word in words)
  assert words[-1] == "--workdir=runs/a b"
  again = overrides.override(Config(), texts)
  assert identity.changes(plain, again) == []
  ways = ("workdir", "eval", "log_every", "checkpoint_every", "mesh")
  assert all(getattr(plain, w) == getattr(again, w) for w in ways)


def test_flags_are_few():
  assert as_flags(Config(objective="mlm", size="nano", seed=3)) == [
    "--objective=mlm",
    "--size=nano",
    "--seed=3",
    "--budget=flops:3e+12",
  ]
