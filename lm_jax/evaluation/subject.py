"""The model that is evaluated, and what tasks need of it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax

from lm_jax import loaded_model
from lm_jax.data import rows as rows_lib
from lm_jax.data.rows import Dataset
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.data.vocabulary import KINDS as RECIPES
from lm_jax.evaluation.answerer import Answerer
from lm_jax.inference import load as load_lib
from lm_jax.inference.directory import ModelDirectory
from lm_jax.loaded_model import Trained
from lm_jax.storage.digest import digest
from lm_jax.support.errors import UsageError


class Subject:
  """A trained model as evaluators see it; nothing is read before it is needed.

  Args:
    model: with a tokenizer.
    path: of its directory; "" of one that has none.
    flag: names it in messages.

  Raises:
    UsageError: it has no tokenizer.
  """

  def __init__(self, model: Trained, path: str, flag: str = "--model"):
    self.model, self.path = model, path
    self.what = f"{flag}={path}"
    if model.tokenizer is None:
      raise UsageError(
        f"{self.what}: the model has no tokenizer files beside it"
      )
    self.tokenizer: Tokenizer = model.tokenizer

  @classmethod
  def load(cls, source: ModelDirectory) -> Subject:
    """Loads the model of a directory, or raises UsageError."""
    return cls(load_lib.load(source), source.path, source.flag)

  @functools.cached_property
  def scorer(self) -> Answerer:
    return Answerer(self.model, self.what)

  @functools.cached_property
  def dataset(self) -> Dataset:
    """The data that the model was trained on.

    Raises:
      UsageError: the corpus is gone or has changed.
    """
    options, length = self.model.config.data, self.model.config.length
    if self.model.config.family or options.tokenizer not in RECIPES:
      # The run's own copy: where it was taken from may be gone.
      path = str(self.tokenizer.path)
      options = dataclasses.replace(options, tokenizer=path)
    dataset = rows_lib.load(options, length)
    if dataset.tokenizer.fingerprint != self.tokenizer.fingerprint:
      raise UsageError(
        f"{self.what}: its corpus {options.corpus} has changed since it was"
        " trained"
      )
    return dataset

  def about(self) -> dict[str, Any]:
    """Describes the model for results.json."""
    config, params = self.model.config, self.model.params
    return {
      "path": self.path,
      "digest": digest(params),
      "objective": config.objective,
      "architecture": self.model.spec.architecture,
      "scoring": loaded_model.scoring(self.model),
      "heads": {
        name: head.pool
        for name, head in self.model.outputs.items()
        if head is not None
      },
      "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
      "length": config.length,
    }
