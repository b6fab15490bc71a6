"""Tells before training whether a run's model will fit Transformers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from lm_jax import config as config_lib
from lm_jax import loaded_model
from lm_jax.config import Config
from lm_jax.data.open_tokenizer import specials_of
from lm_jax.hugging_face import read, write
from lm_jax.support.errors import UsageError
from lm_jax.training import assemble
from lm_jax.types import Spec


def misfit(config: Config) -> str:
  """Says why a model of a preset cannot be exported as that family.

  "" where it can, and of a model without a preset, which promises nothing.

  Raises:
    UsageError: the configuration is impossible.
  """
  preset = config.trunk.get("preset", "")
  family = read.families().get(preset)
  if family is None or config.family:
    return ""
  built = config_lib.build(config)
  specials = specials_of(config.data)
  size = max(config.data.vocabulary_size, specials.ids[-1] + 2)
  spec = Spec(built.trunk.architecture, config.length, size, specials)
  network = assemble.make_network(built, spec)
  main = loaded_model.outputs_of(built.objective, network, spec)
  try:
    for name, trunk in network.trunks:
      outputs = main if name == "main" else {loaded_model.VOCABULARY: None}
      write.model_of(family, trunk, outputs, specials)
  except UsageError as error:
    return f"--trunk.preset={preset}: will not export to Transformers: {error}"
  return ""


def tell_misfits(configs: Sequence[Config]) -> None:
  """Says on stderr which models of a preset will not export."""
  for line in dict.fromkeys(filter(None, map(misfit, configs))):
    print(f"lm_jax: {line}", file=sys.stderr)
