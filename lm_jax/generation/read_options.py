"""Options of a generation, read from flags, files and Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.generation.options import Generation, schema
from lm_jax.support import registry
from lm_jax.support.errors import UsageError, short
from lm_jax.support.values import show


def from_flags(given: Mapping[str, Sequence[str]]) -> dict[str, Any]:
  """The values of those that were given among flags, each by itself valid."""
  return {
    path: each.parse_all(given[path])
    for path, each in schema().items()
    if path in given
  }


def from_values(given: Mapping[str, Any], where: str) -> dict[str, Any]:
  """The options that values in JSON or Python stand for, each by itself valid.

  Args:
    given: by name, as Transformers takes them, too.
    where: names them in messages.

  Raises:
    UsageError: an unknown name, or a value of another kind.
  """
  known = schema()
  values = {}
  for name, value in given.items():
    if name not in known:
      raise registry.unknown(where, name, known)
    if name == "early_stopping" and isinstance(value, bool):
      value = str(value).lower()
    if name == "eos_token_id" and isinstance(value, int):
      value = (value,)
    if name == "decoder_start_token_id" and isinstance(value, (list, tuple)):
      # One for each prompt; they may be the same.
      value = value[0] if len(set(value)) == 1 else value
    if name == "stop_strings" and isinstance(value, str):
      value = (value,)
    if name == "sequence_bias":
      value = _biases(value, where)
    if name == "bad_words_ids" and isinstance(value, (list, tuple)):
      value = tuple(dict.fromkeys(map(_as_tuple, value)))
    values[name] = known[name].check(value, where)
  return values


def _as_tuple(value: Any) -> Any:
  return tuple(value) if isinstance(value, list) else value


def _biases(value: Any, where: str) -> Any:
  """A bias of sequences as the texts of flags.

  Transformers has lists of [ids, number], in Python also ids to numbers.
  """
  pairs = list(value.items()) if isinstance(value, dict) else value
  if not isinstance(pairs, (list, tuple)):
    return value
  texts = []
  for pair in pairs:
    if isinstance(pair, str):
      texts.append(pair)
      continue
    try:
      ids, more = pair
      texts.append(f"{show(ids)}:{float(more)!r}")
    except (TypeError, ValueError):
      raise UsageError(
        f"{where}: sequence_bias={short(value)}: must be a list of ids and a"
        " number each, [[[5, 6], -2.5]]"
      ) from None
  return tuple(texts)


def read(
  given: Mapping[str, Any],
  defaults: Mapping[str, Any] | None = None,
  where: str = "",
) -> Generation:
  """Options from Python, by name.

  defaults: of those that are not given, in place of the usual ones; of the
    file `where`.

  Raises:
    UsageError: an unknown one, or a value that it can't have.
  """
  values = from_values(given, "generate")
  own = (defaults or {}).keys() - values.keys()
  return Generation(**under(values, defaults or {})).check("", own, where)


def under(
  given: Mapping[str, Any], defaults: Mapping[str, Any]
) -> dict[str, Any]:
  """The options that were given, and for the others those of a model's own.

  A number of tokens that was given goes before every other bound of it.
  """
  merged = {**defaults, **given}
  if "max_new_tokens" in given and "max_length" not in given:
    merged.pop("max_length", None)
  if merged.get("min_new_tokens") and "min_new_tokens" not in given:
    most = merged.get("max_new_tokens", Generation.max_new_tokens)
    if "max_new_tokens" in given or not merged.get("max_length"):
      merged["min_new_tokens"] = min(merged["min_new_tokens"], most)
  return merged
