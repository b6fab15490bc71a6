"""Models as they are published: config.json, trunk and number of parameters.

tests/families/published.json has a row for each: the config.json, or a row
that it is like and the fields that differ; the options of Trunk that differ
from its defaults; the number of parameters; and "refused", fields with values
that are not supported, as [field, value] or [field, {fields}].
"""

from __future__ import annotations

import json
import math
import pathlib
from typing import Any

from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face.model import Model
from lm_jax.types import Trunk

_FILE = pathlib.Path(__file__).parents[1] / "families/published.json"
ROWS: dict[str, dict[str, Any]] = json.loads(_FILE.read_text("utf-8"))


def config(name: str) -> dict[str, Any]:
  """Returns the config.json of a row."""
  row = ROWS[name]
  return (config(row["like"]) if "like" in row else {}) | row["config"]


def trunk(name: str) -> Trunk:
  """Returns the trunk that the config.json of a row means."""
  options = ROWS[name]["trunk"].items()
  return Trunk(
    **{k: tuple(v) if isinstance(v, list) else v for k, v in options}
  )


def refused() -> list[tuple[str, str, dict[str, Any]]]:
  """Returns rows, fields that a message must name, and fields to set."""
  return [
    (name, field, value if isinstance(value, dict) else {field: value})
    for name, row in ROWS.items()
    for field, value in row.get("refused", ())
  ]


def describe(directory: pathlib.Path, config: dict[str, Any]) -> Model:
  """Returns the model that a configuration names."""
  (directory / "config.json").write_text(json.dumps(config))
  return read_lib.describe(directory)[0]


def parameters(model: Model) -> int:
  """Returns the number of parameters; nothing is allocated."""
  return sum(map(math.prod, model.shapes.values()))
