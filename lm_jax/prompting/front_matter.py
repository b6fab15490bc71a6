"""The front matter of a prompt template, read and checked."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

from lm_jax.support import registry
from lm_jax.support.errors import UsageError, short

MASK = "mask"  # the field of a cloze
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KINDS: dict[str, Any] = {
  "description": str,
  "fields": list,
  "defaults": dict,
  "answer": str,
  "choices": (dict, list),
  "cloze": bool,
  "separator": str,
  "prefix": str,
  "calibration": dict,
  "reason": str,
  "answer_pattern": str,
  "generation": dict,
}
_FORMS = {str: "text", list: "an array", dict: "a table", bool: "true or false"}


def read(text: str, where: str) -> dict[str, Any]:
  """Reads front matter as arguments of lm_jax.prompting.template.Template.

  Args:
    text: TOML.
    where: names the file in messages.

  Raises:
    UsageError: it is not TOML, with the line; or a key that is unknown,
      missing, of another kind, or does not go with another.
  """
  try:
    table = tomllib.loads(text)
  except (tomllib.TOMLDecodeError, RecursionError) as error:
    raise UsageError(f"{where}: {error}") from None
  for name, value in table.items():
    if name not in _KINDS:
      raise registry.unknown(f"{where}: key", name, _KINDS)
    kinds = _KINDS[name]
    kinds = kinds if isinstance(kinds, tuple) else (kinds,)
    if type(value) not in kinds:
      form = " or ".join(_FORMS[kind] for kind in kinds)
      raise UsageError(f"{where}: {name}={short(value)}: must be {form}")
  for name in ("description", "fields"):
    if not table.get(name):
      raise UsageError(f"{where}: needs the key {name}")
  if "\n" in table["description"]:
    raise UsageError(f"{where}: description: must be one line")
  fields = _fields(table["fields"], where)
  values: dict[str, Any] = dict(table)
  values["fields"] = fields
  values["cloze"] = table.get("cloze", False)
  values["defaults"] = _texts(table.get("defaults", {}), where, "defaults")
  _known(values["defaults"], fields, f"{where}: defaults")
  choices = values.pop("choices", {})
  if isinstance(choices, dict):
    values["choices"] = tuple(_texts(choices, where, "choices").items())
  else:
    values["choice_fields"] = _fields(choices, where)
    _known(values["choice_fields"], fields, f"{where}: choices")
  contents = _contents(table.get("calibration", {}), where)
  for content in contents:
    _known(content, fields, f"{where}: calibration")
  values["calibration"] = contents
  values["generation"] = _generation(table.get("generation", {}), where)
  _check_together(values, where)
  return values


def _fields(names: list[Any], where: str) -> tuple[str, ...]:
  for name in names:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name == MASK:
      raise UsageError(
        f"{where}: {short(name)}: no name for a field, which has letters,"
        f" digits and _, and is not {MASK}"
      )
  if len(set(names)) < len(names):
    raise UsageError(f"{where}: a field is named twice: {', '.join(names)}")
  return tuple(names)


def _texts(table: dict[str, Any], where: str, key: str) -> dict[str, str]:
  for name, value in table.items():
    if not isinstance(value, str):
      raise UsageError(f"{where}: {key}.{name}={short(value)}: must be text")
  return table


def _known(names: Iterable[str], fields: tuple[str, ...], what: str):
  for name in names:
    if name not in fields:
      raise registry.unknown(what, name, fields)


def _contents(
  table: dict[str, Any], where: str
) -> tuple[Mapping[str, str], ...]:
  """Reads content-free inputs: a text, or equally many texts a field."""
  columns = {
    name: value if isinstance(value, list) else [value]
    for name, value in table.items()
  }
  if len({len(column) for column in columns.values()}) > 1:
    raise UsageError(f"{where}: calibration: as many texts for each field")
  rows = [
    dict(zip(columns, row, strict=True))
    for row in zip(*columns.values(), strict=True)
  ]
  return tuple(_texts(row, where, "calibration") for row in rows)


def _generation(table: dict[str, Any], where: str) -> dict[str, Any]:
  from lm_jax.generation import options as options_lib

  known = options_lib.schema()
  values = {}
  for name, value in table.items():
    if name not in known:
      raise registry.unknown(f"{where}: generation", name, known)
    values[name] = known[name].check(value, f"{where}: generation")
  try:
    options_lib.Generation(**values).check("")
  except UsageError as error:
    raise UsageError(f"{where}: generation: {error}") from None
  return values


def _check_together(values: dict[str, Any], where: str) -> None:
  chosen = values.get("choices") or values.get("choice_fields") or ()
  if len(chosen) == 1:
    raise UsageError(f"{where}: choices: there must be two or more")
  texts = [text for _, text in values.get("choices", ())]
  if len(set(texts)) < len(texts):
    raise UsageError(f"{where}: choices: two labels have the same text")
  if not all(texts):
    raise UsageError(f"{where}: choices: a text is empty")
  if chosen and not values.get("answer"):
    raise UsageError(
      f"{where}: choices: need the key answer, the label's field"
    )
  if values["cloze"] and not chosen:
    raise UsageError(f"{where}: cloze = true: needs choices")
  for key, other in (
    ("reason", "answer_pattern"),
    ("answer_pattern", "answer"),
  ):
    if values.get(key) and not values.get(other):
      raise UsageError(f"{where}: {key}: needs the key {other}")
  if values["cloze"] and values.get("answer_pattern"):
    raise UsageError(f"{where}: cloze = true: goes without answer_pattern")
  free = set(values["fields"]) - set(values["defaults"])
  free -= set(values.get("choice_fields", ()))
  for content in values["calibration"]:
    missing = sorted(free - set(content))
    if missing:
      raise UsageError(f"{where}: calibration: lacks the field {missing[0]}")
  try:
    re.compile(values.get("answer_pattern", ""))
  except (re.error, RecursionError, OverflowError) as error:
    raise UsageError(f"{where}: answer_pattern: {error}") from None
