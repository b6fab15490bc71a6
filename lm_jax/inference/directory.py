"""The directory of a model, whose config.json is read once."""

from __future__ import annotations

import functools
import pathlib

from lm_jax import config as config_lib
from lm_jax.config import Config, file
from lm_jax.families import _fields
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError


class ModelDirectory:
  """A run directory, or a Hugging Face directory.

  Args:
    path: of the directory.
    flag: names it in messages.
    objective: the one of its phases that a run is read by; "" for the last.
  """

  def __init__(self, path: str, flag: str = "--model", objective: str = ""):
    self.path, self.flag, self.objective = path, flag, objective

  @functools.cached_property
  def is_hugging_face(self) -> bool:
    """True if its config.json is that of Transformers."""
    try:
      return _fields.is_content(strict_json.parse(self._text, self.path))
    except UsageError:
      return False  # and no run directory either, which is said later

  @functools.cached_property
  def config(self) -> Config:
    """The configuration of a run, or UsageError."""
    return config_lib.from_json(self._text, str(self._file))

  @functools.cached_property
  def task(self) -> str:
    """The task that a run was fine-tuned for; "" of any other model."""
    is_run = pathlib.Path(self.path, "config.json").is_file()
    return self.config.task if is_run and not self.is_hugging_face else ""

  @functools.cached_property
  def _file(self) -> pathlib.Path:
    return file.find(self.path, self.flag)

  @functools.cached_property
  def _text(self) -> str:
    return strict_json.text_of(self._file)
