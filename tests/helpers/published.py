"""What the config.json of a published checkpoint means, nothing allocated."""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face.model import Model


def describe(directory: pathlib.Path, config: dict[str, Any]) -> Model:
  """The model that the configuration names."""
  (directory / "config.json").write_text(json.dumps(config))
  return read_lib.describe(directory)[0]


def parameters(model: Model) -> int:
  """How many numbers it has."""
  return sum(map(math.prod, model.shapes.values()))
