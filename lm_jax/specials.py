"""Special tokens: tests, random text, specials.json."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import operator
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.types import ABSENT, Array, Spec, Specials

FILE = "specials.json"
MOST_SENTINELS = 2**20  # their ids are listed
_DEFAULT = Specials()
# As a message calls them.
_NAMES = {
  "regular": "[R] (regular denoising)",
  "sequential": "[S] (sequential denoising)",
  "extreme": "[X] (extreme denoising)",
  "sentinels": "sentinel",
  "start": "decoder start",
}


@functools.lru_cache(maxsize=64)
def runs(specials: Specials) -> tuple[tuple[int, int], ...]:
  """The ids as ranges [first, stop), ascending and apart.

  >>> runs(Specials(sentinels=3))
  ((0, 12),)
  """
  spans: list[tuple[int, int]] = []
  for i in specials.ids:
    if spans and spans[-1][1] == i:
      spans[-1] = spans[-1][0], i + 1
    else:
      spans.append((i, i + 1))
  return tuple(spans)


def is_special(tokens: Array, specials: Specials) -> Array:
  """Marks special tokens: bool, of the shape of `tokens`.

  One comparison with ids from 0 on, two for each further range of ids; NumPy
  gives NumPy.
  """
  parts = (
    (tokens >= first) & (tokens < stop) if first else tokens < stop
    for first, stop in runs(specials)
  )
  return functools.reduce(operator.or_, parts)


@functools.lru_cache(maxsize=64)
def _never_text(specials: Specials) -> Specials:
  """The special tokens without the unknown one, unless it is another too.

  Nor padding: GPT has none, and another's id in its place.
  """
  return dataclasses.replace(specials, unknown=ABSENT, pad=ABSENT)


def is_text(tokens: Array, specials: Specials) -> Array:
  """Marks tokens that stand for text: bool, of the shape of `tokens`.

  An unknown token does, where its id is no other special token's. Padding is
  not told by its id; see Rows.part_BxL.
  """
  text = ~is_special(tokens, specials)
  if specials.unknown in (ABSENT, *_never_text(specials).ids):
    return text
  return text | (tokens == specials.unknown)


def random_text(key: Array, shape: tuple[int, ...], spec: Spec) -> Array:
  """Uniform over the ids below spec.vocabulary that are not special: int32."""
  ranges = [pair for pair in runs(spec.specials) if pair[0] < spec.vocabulary]
  taken = sum(min(stop, spec.vocabulary) - first for first, stop in ranges)
  # Ids from 0 on are stepped over by the draw itself, the others after it.
  least = ranges[0][1] if ranges and ranges[0][0] == 0 else 0
  tokens = jax.random.randint(
    key, shape, least, spec.vocabulary - taken + least
  )
  for first, stop in ranges:
    if first:
      tokens = jnp.where(tokens >= first, tokens + (stop - first), tokens)
  return tokens


def require(specials: Specials, names: Iterable[str], objective: str) -> None:
  """Raises UsageError where a tokenizer lacks what an objective needs.

  Args:
    names: fields of Specials; "sentinels" asks for one at least.
  """
  for name in names:
    value = getattr(specials, name)
    if value == ABSENT or (name == "sentinels" and not value):
      hint = "; `import --mask=_` names one" if name == "mask" else ""
      raise UsageError(
        f"--objective={objective}: the tokenizer has no "
        f"{_NAMES.get(name, name)} token{hint}"
      )


def to_json(specials: Specials) -> str:
  """Returns the content of specials.json: the fields of Specials."""
  return json.dumps(dataclasses.asdict(specials), indent=1) + "\n"


def from_json(text: str, where: object) -> Specials:
  """The inverse of `to_json`.

  Raises:
    UsageError: not JSON, fields that are missing or unknown, what is no id.
  """
  members = strict_json.parse(text, where)
  if not isinstance(members, dict):
    raise UsageError(f"{where}: must be an object, not {_short(members)}")
  fields = [field.name for field in dataclasses.fields(Specials)]
  for name in members:
    if name not in fields:
      near = difflib.get_close_matches(name[:40], fields, n=1)
      hint = f"nearest: {near[0]}" if near else f"valid: {', '.join(fields)}"
      raise UsageError(f"{where}: unknown field {_short(name)} ({hint})")
  for name in fields:
    if name not in members:
      raise UsageError(f"{where}: lacks the field {name}")
    _check(name, members[name], where)
  for name in ("before", "after", "others"):
    members[name] = tuple(members[name])
  specials = Specials(**members)
  if specials.sentinels:
    last = specials.first_sentinel + specials.sentinel_step * (
      specials.sentinels - 1
    )
    if min(specials.first_sentinel, last) < 0:
      raise UsageError(
        f"{where}: {specials.sentinels} sentinels from "
        f"{specials.first_sentinel} by steps of {specials.sentinel_step} do "
        "not have ids of 0 or more"
      )
  return specials


def _check(name: str, value: Any, where: object) -> None:
  """Raises UsageError where a field of specials.json is none."""

  def bad(wanted: str) -> UsageError:
    return UsageError(f"{where}: {name}={_short(value)}: must be {wanted}")

  if isinstance(getattr(_DEFAULT, name), tuple):
    if not isinstance(value, list) or not all(_is_id(i) for i in value):
      raise bad("a list of ids, integers of 0 or more")
  elif name == "sentinel_step":
    if type(value) is not int or not 0 < abs(value) < 2**31:
      raise bad("an integer other than 0")
  elif name == "sentinels":
    if type(value) is not int or not 0 <= value <= MOST_SENTINELS:
      raise bad(f"an integer from 0 to {MOST_SENTINELS}")
  elif name == "pad":
    if not _is_id(value):
      raise bad("an id, an integer of 0 or more")
  elif not _is_id(value) and (type(value) is not int or value != ABSENT):
    raise bad(f"an id, or {ABSENT} where there is none")


def _is_id(value: Any) -> bool:
  return type(value) is int and 0 <= value < 2**31


def _short(value: Any) -> str:
  """Shows a value of a file, cut."""
  plain = value is None or isinstance(value, str | int | float)
  text = json.dumps(value) if plain else short(value, 40)
  return text if len(text) <= 40 else f"{text[:37]}..."
