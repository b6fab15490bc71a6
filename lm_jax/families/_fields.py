"""Fields of a config.json, checked as they are read."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

from lm_jax.support import links, strict_json, typed_json
from lm_jax.support.errors import UsageError, short
from lm_jax.types import ABSENT

T = TypeVar("T")

# Activations of Transformers and of lm_jax. Names of one function agree to
# rounding; an export writes the first.
ACTIVATIONS = {
  "gelu": "gelu",
  "gelu_python": "gelu",
  "gelu_new": "gelu_tanh",
  "gelu_pytorch_tanh": "gelu_tanh",
  "gelu_fast": "gelu_tanh",
  "gelu_accurate": "gelu_tanh",
  "relu": "relu",
  "silu": "silu",
  "swish": "silu",
  "tanh": "tanh",
}
_LARGEST = 2**31 - 1  # that sizes have


@dataclasses.dataclass(frozen=True)
class Fields:
  """A config.json; every method raises a UsageError that names the field.

  A field that is absent, or null, has the default; without one it is needed.
  """

  values: Mapping[str, Any]
  where: str

  def renamed(self, names: Mapping[str, str]) -> Fields:
    """Returns the fields with second names replaced by the first ones.

    names: the first by the second, which Transformers prefers where both are.
    """
    values = dict(self.values)
    for second, first in names.items():
      if second in values:
        values[first] = values.pop(second)
    return Fields(values, self.where)

  def error(self, name: str, valid: str) -> UsageError:
    """Returns an error to raise: the field, its value and what is valid."""
    if name not in self.values:
      return UsageError(f"{self.where}: {name} is missing; must be {valid}")
    value = self.values[name]
    plain = value is None or isinstance(value, str | int | float)
    shown = json.dumps(value) if plain else short(value)
    if len(shown) > 80:
      shown = shown[:77] + "..."
    return UsageError(f"{self.where}: {name}={shown}: must be {valid}")

  def _get(self, name: str, default: Any, kinds: tuple, valid: str) -> Any:
    value = self.values.get(name)
    if value is None:
      if default is None:
        raise self.error(name, valid)
      return default
    if not isinstance(value, kinds) or (
      isinstance(value, bool) and bool not in kinds
    ):
      raise self.error(name, valid)
    return value

  def integer(
    self,
    name: str,
    default: int | None = None,
    least: int = 1,
    most: int = _LARGEST,
  ) -> int:
    """Returns a whole number from `least` to `most`."""
    valid = f"a whole number from {least} to {most}"
    value = self._get(name, default, (int,), valid)
    if not least <= value <= most:
      raise self.error(name, valid)
    return value

  def token_id(self, name: str, default: int = ABSENT) -> int:
    """Returns the id of a special token, or ABSENT, which -1 also means.

    Of several (LLaMA 3 has some that end a text) it is the first.
    """
    valid = "an id, a whole number from 0, or null"
    value = self.values.get(name)
    if name not in self.values:
      return default
    if isinstance(value, list) and value:
      value = value[0]
    if value is None or (type(value) is int and value == -1):
      return ABSENT
    if type(value) is not int or not 0 <= value <= _LARGEST:
      raise self.error(name, valid)
    return value

  def decoder_start(self, default: int) -> int:
    """Returns the id that a decoder reads first, one of the vocabulary's."""
    name = "decoder_start_token_id"
    start = self.token_id(name)
    size = self.values.get("vocab_size")
    if isinstance(size, int) and start >= size:
      raise self.error(name, f"an id below vocab_size, {size}")
    return default if start == ABSENT else start

  def number(self, name: str, default: float | None = None) -> float:
    """Returns a number that is not negative."""
    value = self._get(name, default, (int, float), "a number from 0")
    if not 0 <= value < 1e300:  # what is larger is no float, or nearly none
      raise self.error(name, "a number from 0")
    return float(value)

  def flag(self, name: str, default: bool | None = None) -> bool:
    return self._get(name, default, (bool,), "true or false")

  def choice(
    self, name: str, table: Mapping[str, T], default: str | None = None
  ) -> T:
    """Returns the table's value for the field's text."""
    valid = "one of " + ", ".join(table)
    value = self._get(name, default, (str,), valid)
    if value not in table:
      raise self.error(name, valid)
    return table[value]

  def activation(self, name: str, default: str | None = None) -> Any:
    """Returns our name of an activation."""
    return self.choice(name, ACTIVATIONS, default)

  def mapping(self, name: str) -> Fields:
    """Returns a nested object, {} where it is absent."""
    value = self._get(name, {}, (dict,), "an object")
    return Fields(value, f"{self.where}: {name}")

  def otherwise(self, **defaults: Any) -> Fields:
    """Returns the fields that are not null, with values for absent ones."""
    there = {k: v for k, v in self.values.items() if v is not None}
    return Fields(defaults | there, self.where)

  def require(self, **supported: Any) -> None:
    """Raises unless each field is absent or has its one supported value."""
    for name, value in supported.items():
      if self.values.get(name) not in (None, value):
        only = f"{json.dumps(value)}; nothing else is supported"
        raise self.error(name, only)

  def is_class(self, *ends: str) -> bool:
    """Returns whether the named class ends with one of these."""
    named = self.values.get("architectures") or [""]
    return isinstance(named, list) and str(named[0]).endswith(ends)

  def labels(self) -> int:
    """Returns the number of labels: of id2label, or num_labels, or 2."""
    names = self.values.get("id2label")
    if isinstance(names, dict) and names:
      return len(names)
    return self.integer("num_labels", 2)


def is_directory(directory: str | pathlib.Path) -> bool:
  """Returns whether there is a config.json of Transformers.

  Files of 2019 name neither a type nor a class.
  """
  try:
    content = strict_json.read(pathlib.Path(directory, "config.json"))
  except UsageError:
    return False  # and no run directory either, which is said later
  return is_content(content)


def is_content(content: object) -> bool:
  """Returns whether the JSON of a config.json is that of Transformers."""
  return isinstance(content, dict) and bool(
    {"model_type", "architectures", "vocab_size"} & set(content)
  )


def read(directory: pathlib.Path, flag: str) -> Fields:
  """Reads the config.json of a directory, or raises UsageError."""
  path = directory / "config.json"
  try:
    path.stat()
  except OSError as error:
    raise UsageError(
      f"{flag}={directory}: {path.name}: {error.strerror}"
    ) from None
  return Fields(typed_json.read_as(links.inside(path), dict), str(path))
