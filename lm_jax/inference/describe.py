"""Describes a model without its parameters: settings, tokenizer, shapes."""

from __future__ import annotations

import flax.linen as nn

from lm_jax.config import Config
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.hugging_face import pretrained
from lm_jax.inference.directory import ModelDirectory
from lm_jax.inference.load import boxed_shapes, planned, read_run
from lm_jax.loaded_model import TOKENIZER
from lm_jax.storage.digest import flatten
from lm_jax.support.errors import UsageError

Shapes = dict[str, tuple[int, ...]]


def describe(directory: str) -> tuple[Config, Tokenizer, Shapes]:
  """A model's configuration, tokenizer, and shapes of its parameters."""
  if pretrained.is_directory(directory):
    foreign = pretrained.read(directory)
    tokenizer, shapes = foreign.tokenizer, foreign.model.shapes
    config = foreign.config
  else:
    config, tokenizer = read_run(ModelDirectory(directory))
    if tokenizer is not None:
      model, plan = planned(config, tokenizer, tokenizer.specials)
      tree = nn.meta.unbox(boxed_shapes(model, plan))
      shapes = {n: x.shape for n, x in flatten(tree).items()}
  if tokenizer is None:
    raise UsageError(
      f"--model={directory}: has no {TOKENIZER}, which training needs"
    )
  return config, tokenizer, shapes


def tokenizer_of(directory: str, flag: str = "--model") -> Tokenizer:
  """The tokenizer of a run that is none of an import.

  Raises:
    UsageError: the run or its tokenizer can't be read.
  """
  _, tokenizer = read_run(ModelDirectory(directory, flag))
  if tokenizer is None:
    raise UsageError(f"{flag}={directory}: has no {TOKENIZER}")
  return tokenizer
