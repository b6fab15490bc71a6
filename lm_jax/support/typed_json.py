"""Values of JSON as the dataclasses that they should be, or a UsageError."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import types
import typing
from typing import Any

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short


def as_kind(value: Any, kind: Any, where: object) -> Any:
  """Returns a value of JSON as a dataclass, or as what else a kind says.

  Args:
    value: as `strict_json.parse` returns it.
    kind: a dataclass, whose members without a default must be there and which
      lets others be; bool, int (not bool), float (an int, too), str, None,
      Any, list[kind], tuple[kind, ...], dict[str, kind], a Literal, or a
      union of kinds.
    where: names it in messages, which add the path to a member.

  Raises:
    UsageError: it is something else.
  """
  if dataclasses.is_dataclass(kind):
    return _as_dataclass(value, typing.cast(type, kind), where)
  origin, inner = typing.get_origin(kind), typing.get_args(kind)
  if kind is Any:
    return value
  if kind in (None, types.NoneType) and value is None:
    return value
  if kind is float and type(value) in (int, float):
    return value  # A whole number stays one: it is written as it was read.
  if kind in (bool, int, str, dict, list) and type(value) is kind:
    return value
  if origin is typing.Literal and isinstance(value, str) and value in inner:
    return value
  if origin in (list, tuple) and isinstance(value, list):
    return origin(
      as_kind(item, inner[0], f"{where}, number {number}")
      for number, item in enumerate(value, 1)
    )
  if origin is dict and isinstance(value, dict):
    return {
      name: as_kind(item, inner[1], f"{where}, {name:.80}")
      for name, item in value.items()
    }
  if origin in (typing.Union, types.UnionType):
    choices = [choice for choice in inner if choice is not types.NoneType]
    if value is None and len(choices) < len(inner):
      return None
    if len(choices) == 1:  # The message tells of the member that is wrong.
      return as_kind(value, choices[0], where)
    for choice in choices:
      with contextlib.suppress(UsageError):
        return as_kind(value, choice, where)
  raise UsageError(f"{where}: {short(value)}: must be {_called(kind)}")


def read_as(path: str | os.PathLike, kind: Any, where: object = None) -> Any:
  """Reads a JSON file as a dataclass, or as another kind; see `as_kind`."""
  return as_kind(strict_json.read(path, where), kind, where or path)


def _as_dataclass(value: Any, kind: type, where: object) -> Any:
  if not isinstance(value, dict):
    raise UsageError(f"{where}: {short(value)}: must be an object")
  kinds, members = _hints(kind), {}
  for field in dataclasses.fields(kind):
    if field.name in value:
      members[field.name] = as_kind(
        value[field.name], kinds[field.name], f"{where}: {field.name}"
      )
    elif (
      field.default is dataclasses.MISSING
      and field.default_factory is dataclasses.MISSING
    ):
      raise UsageError(f"{where}: has no {field.name}")
  return kind(**members)


_hints = functools.cache(typing.get_type_hints)

_CALLED = {
  bool: "true or false",
  int: "a whole number",
  float: "a number",
  str: "text",
  None: "null",
  types.NoneType: "null",
  list: "a list",
  tuple: "a list",
  dict: "an object",
}


def _called(kind: Any) -> str:
  origin, inner = typing.get_origin(kind), typing.get_args(kind)
  if origin is typing.Literal:
    return f"one of {', '.join(inner)}"
  if origin in (typing.Union, types.UnionType):
    return " or ".join(map(_called, inner))
  if dataclasses.is_dataclass(kind):
    return "an object"
  return _CALLED[origin or kind]
