"""Values of options: parsed from text, checked from JSON, shown as flags."""

from __future__ import annotations

import math
import typing
from typing import Any, Literal

from lm_jax.support import registry
from lm_jax.support.errors import UsageError, short

_FORM = {
  bool: "true or false",
  int: "a whole number",
  float: "a finite number",
}


# Of whole numbers, both ways: what counts or names something is below it, and
# int32 holds it. It keeps nonsense from becoming a size.
_MOST = 2**31 - 1


def show(value: Any) -> str:
  """Shows a value as one would write it after a flag."""
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, (tuple, list)):
    return ",".join(map(show, value))
  return str(value)


def is_literal(kind: Any) -> bool:
  """Returns whether a kind is a Literal."""
  return typing.get_origin(kind) is Literal


def _bad(where: str, value: Any, kind: Any) -> UsageError:
  shown = value[:80] if isinstance(value, str) else short(value)
  return UsageError(f"{where}={shown}: must be {_FORM.get(kind, 'text')}")


def _in_range(kind: Any, value: Any, where: str) -> Any:
  """The value, of its kind, or UsageError where no run can have it."""
  if kind is float and not math.isfinite(value):
    raise _bad(where, value, kind)
  if kind is int and abs(value) > _MOST:
    raise UsageError(f"{where}={short(value)}: must be at most {_MOST}")
  if kind is str and "\0" in value:
    raise UsageError(f"{where}={short(value)}: must be text without NUL")
  return value


def parse(kind: Any, text: str, where: str) -> Any:
  if typing.get_origin(kind) is tuple:
    item = typing.get_args(kind)[0]
    return tuple(parse(item, t, where) for t in text.split(",") if t)
  if is_literal(kind):
    return check(kind, text, where)
  if kind is bool:
    if text.lower() not in ("true", "false"):
      raise _bad(where, text, kind)
    return text.lower() == "true"
  try:
    value = kind(text)
  except ValueError:
    raise _bad(where, text, kind) from None
  return _in_range(kind, value, where)


def check(kind: Any, value: Any, where: str) -> Any:
  if typing.get_origin(kind) is tuple:
    if not isinstance(value, (list, tuple)):
      raise UsageError(f"{where}={short(value)}: must be a list")
    item = typing.get_args(kind)[0]
    return tuple(check(item, v, where) for v in value)
  if is_literal(kind):
    valid = typing.get_args(kind)
    if not isinstance(value, str) or value not in valid:
      shown = [v or '""' for v in valid]
      text = value[:80] if isinstance(value, str) else short(value)
      raise registry.unknown(where, text, shown)
    return value
  if kind is float and type(value) is int:
    try:
      return float(value)
    except OverflowError:
      raise _bad(where, value, kind) from None
  if type(value) is not kind:
    raise _bad(where, value, kind)
  return _in_range(kind, value, where)
