"""The table of a family's config.json: each key and the option it means."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

from lm_jax.families._fields import ACTIVATIONS, Fields
from lm_jax.types import MOST_LAYERS, Trunk

_PLAIN = Trunk()
# Each is written out, so their number has a bound.
_LAYERS = ("layers", "encoder_layers")


@dataclasses.dataclass(frozen=True)
class Row:
  """A key of config.json, read and written by the same row.

  How the key is read follows from the option's type: a flag, a whole number,
  a number, or a text of `names`.

  option: the option of Trunk that it means; "" where `read` gives the options
    or the key is only written.
  default: the value where the key is missing; or a function of the trunk as
    far as it is read.
  zero: the value written for an option that is 0, or a function of the trunk;
    None writes the 0.
  names: the texts that are valid, and the option's value for each. The first
    text of a value is written, `default` where there is none.
  divides: an option that the value must divide.
  also: further options that get the same value.
  read: returns the options by name, from the fields and the trunk as far as
    it is read; in place of all of the above.
  write: returns the value to write; in place of the option's.
  """

  option: str = ""
  default: Any = None
  zero: Any = None
  names: Mapping[str, Any] = dataclasses.field(
    default_factory=lambda: ACTIVATIONS
  )
  divides: str = ""
  also: tuple[str, ...] = ()
  read: Callable[[Fields, Trunk], dict[str, Any]] | None = None
  write: Callable[[Trunk], Any] | None = None


def trunk(rows: Mapping[str, Row], fields: Fields, fixed: Trunk) -> Trunk:
  """Reads a configuration.

  Args:
    rows: by key; a later one may use what the earlier ones gave.
    fields: of the configuration.
    fixed: the options that no key changes.

  Raises:
    UsageError: a field's value is not valid.
  """
  whole = fixed
  for key, row in rows.items():
    read = row.read or functools.partial(_read, key, row)
    whole = dataclasses.replace(whole, **read(fields, whole))
  return whole


def config(rows: Mapping[str, Row], trunk: Trunk) -> dict[str, Any]:
  """Writes the configuration that means a trunk, in the order of the rows."""
  return {
    key: row.write(trunk) if row.write else _written(row, trunk)
    for key, row in rows.items()
  }


def name_of(names: Mapping[str, Any], value: Any, default: str) -> str:
  """Returns the first of the names that stands for a value."""
  return next((name for name, x in names.items() if x == value), default)


def has_bias(trunk: Trunk, *projections: str) -> bool:
  """Returns whether these projections of Trunk.bias_except have a bias."""
  return all(trunk.bias != (x in trunk.bias_except) for x in projections)


def _read(key: str, row: Row, fields: Fields, so_far: Trunk) -> dict[str, Any]:
  if not row.option:
    return {}
  default = _value(row.default, so_far)
  plain = getattr(_PLAIN, row.option)
  value: Any
  if row.option in _LAYERS:
    value = fields.integer(key, default, most=MOST_LAYERS)
  elif isinstance(plain, bool):
    value = fields.flag(key, default)
  elif isinstance(plain, int):
    value = fields.integer(key, default)
  elif isinstance(plain, float):
    value = fields.number(key, default)
  else:
    value = fields.choice(key, row.names, default)
  whole = getattr(so_far, row.divides) if row.divides else 0
  if whole and whole % value:
    raise fields.error(key, f"a divisor of {whole}")
  return dict.fromkeys((row.option, *row.also), value)


def _written(row: Row, trunk: Trunk) -> Any:
  value = getattr(trunk, row.option)
  if isinstance(value, str):
    return name_of(row.names, value, row.default)
  if not value and row.zero is not None:
    return _value(row.zero, trunk)
  return value


def _value(value: Any, trunk: Trunk) -> Any:
  return value(trunk) if callable(value) else value
