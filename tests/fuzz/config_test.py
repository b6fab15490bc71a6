"""config.json of a run: read, resolved, built and compared."""

import dataclasses
import json

import fuzzing

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.data.options import DataOptions
from lm_jax.storage import identity
from lm_jax.support import registry
from lm_jax.support.errors import UsageError


def _valid():
  rich = Config(
    objective="mlm",
    architecture="encoder",
    workdir="w",
    data=DataOptions(corpus="é *.txt", packing="document"),
    optimizer=OptimizerOptions(name="lion", learning_rate=3e-5),
    trunk={"preset": "bert", "windows": (64, 0), "bias": False},
    heads={"classification": {"size": 2, "pool": "first"}, "vocabulary": {}},
  )
  bare = [
    Config(
      objective=name,
      data=DataOptions(packing="document"),
      trunk={"sharing": (0, 0, 1, 1)} if name == "clm" else {},
    )
    for name in registry.names(config_lib.OBJECTIVES)
  ]
  configs = [rich, *bare, *map(config_lib.resolve, [rich, *bare])]
  return [json.loads(config_lib.to_json(config)) for config in configs]


def _build(config):
  """What a run does first with it; where flags are named, not the file."""
  try:
    config_lib.resolve(config)
    identity.changes(config, Config())
    config_lib.build(config)
  except UsageError:
    return ["impossible"]
  return ["possible"]


@fuzzing.COUNTS
def test_a_configuration_is_read_or_refused(count, tmp_path):
  path = tmp_path / "config.json"

  def read(data):
    path.write_bytes(data)
    end, config = fuzzing.attempt(
      lambda: config_lib.read(str(tmp_path)),
      # A name that is no objective's is said as after the flag.
      "config.json" if b"objective" not in data else "",
    )
    if end == "refused":
      return [*fuzzing.is_json(data), end]
    again = config_lib.from_json(config_lib.to_json(config))
    assert repr(again) == repr(config)
    assert dataclasses.asdict(again) == dataclasses.asdict(config)
    with fuzzing.bounded_memory():
      return ["JSON", end, *_build(config)]

  inputs = fuzzing.texts(_valid())
  shares = {"JSON": 0.5, "valid": 0.1, "possible": 0.05}
  fuzzing.fuzz("config.json", count, inputs, read, shares)
