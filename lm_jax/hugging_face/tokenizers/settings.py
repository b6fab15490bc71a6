"""Reads a tokenizer's options: every file beside the vocabulary."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from lm_jax.hugging_face.tokenizers import files
from lm_jax.support import typed_json
from lm_jax.support.errors import UsageError

CONFIG = "tokenizer_config.json"
# The parts of special tokens in Transformers, in the order in which it adds
# to the vocabulary what is not there.
PARTS = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@dataclasses.dataclass(frozen=True)
class Settings:
  """The options of a tokenizer.

  directory: where they come from.
  config: the model's config.json.
  options: tokenizer_config.json, special_tokens_map.json laid over it.
  class_name: of Transformers' tokenizer, without "Fast"; "" if not told.
  named: AddedToken or text by part ("pad"), as far as told.
  added: AddedToken by id, of the tokens that were added to the vocabulary.
  own: special tokens with parts that only the directory knows.
  extra: further special tokens; None if not told.
  """

  directory: pathlib.Path
  config: dict[str, Any]
  options: dict[str, Any]
  class_name: str
  named: dict[str, Any]
  added: dict[int, Any]
  own: list[str]
  extra: list[Any] | None

  def content(self, part: str, default: str) -> str:
    """The text of a named token."""
    return str_of(self.named.get(part, default))

  def flag(self, name: str, default: Any) -> Any:
    """An option of the tokenizer's class."""
    return self.options.get(name, default)


def str_of(token: Any) -> str:
  """The text of an AddedToken or of a text."""
  return token if isinstance(token, str) else token.content


def added_token(value: Any, path: pathlib.Path, **flags: bool) -> Any:
  """An AddedToken from JSON; a text and an AddedToken are left as they are."""
  import tokenizers

  if isinstance(value, (str, tokenizers.AddedToken)):
    return value
  known = ("content", "single_word", "lstrip", "rstrip", "normalized")
  try:
    told = {name: value[name] for name in (*known, "special") if name in value}
    return tokenizers.AddedToken(**{**told, **flags})
  except (TypeError, KeyError) as error:
    raise UsageError(f"{path}: {value!r} is no token") from error


def _decoder(table: Any, path: pathlib.Path) -> dict[int, Any]:
  try:
    tokens = {int(i): added_token(token, path) for i, token in table.items()}
  except (AttributeError, ValueError) as error:
    raise UsageError(f"{path}: added_tokens_decoder is no table") from error
  if any(isinstance(token, str) for token in tokens.values()):
    raise UsageError(f"{path}: added_tokens_decoder holds a mere text")
  return tokens


def _legacy(directory: pathlib.Path, options: dict[str, Any]) -> dict[int, Any]:
  """Added tokens of a directory whose tokenizer_config.json has none.

  Lays special_tokens_map.json over `options`.
  """
  import tokenizers

  path = directory / "special_tokens_map.json"
  for key, value in files.json_object(path).items():
    if isinstance(value, dict) and key != "extra_special_tokens":
      value = added_token(value, path, special=True)
    elif isinstance(value, list):
      value = [added_token(token, path, special=True) for token in value]
      if key == "extra_special_tokens":
        told = _extra(options, path) or []
        had = {str_of(token) for token in told}
        value = [*told, *(x for x in value if str_of(x) not in had)]
    options[key] = value
  tokens = (*_named(options).values(), *(_extra(options, path) or []))
  special = {str_of(token) for token in tokens}
  path = directory / "added_tokens.json"
  ids = typed_json.as_kind(files.json_object(path), dict[str, int], path)
  added = {
    i: tokenizers.AddedToken(
      text, normalized=text not in special, special=text in special
    )
    for text, i in ids.items()
  }
  path = directory / "tokenizer.json"
  listed = files.json_object(path).get("added_tokens") or []
  for token in listed if isinstance(listed, list) else [listed]:
    if not isinstance(token, dict) or not isinstance(token.get("id"), int):
      raise UsageError(f"{path}: {token!r} in added_tokens has no id")
    added[token["id"]] = added_token(token, path)
  return added


def _named(options: dict[str, Any]) -> dict[str, Any]:
  """The named tokens by part, as far as told."""
  values = {part: options.get(f"{part}_token") for part in PARTS}
  return {
    part: value
    for part, value in values.items()
    if isinstance(value, str) or hasattr(value, "content")
  }


def read_settings(directory: pathlib.Path, config: dict[str, Any]) -> Settings:
  """Reads every file beside the vocabulary.

  Raises:
    UsageError: a file is broken.
  """
  path = directory / CONFIG
  options = files.json_object(path)
  if "additional_special_tokens" in options and not options.get(
    "extra_special_tokens"
  ):
    options["extra_special_tokens"] = options.pop("additional_special_tokens")
  for part in PARTS:
    key = f"{part}_token"
    if isinstance(options.get(key), dict):
      options[key] = added_token(options[key], path)
  if "added_tokens_decoder" in options:
    added = _decoder(options["added_tokens_decoder"], path)
  else:
    added = _legacy(directory, options)
  by_text = {token.content: token for token in added.values()}
  named = {
    part: by_text.get(str_of(token), token)
    for part, token in _named(options).items()
  }
  name = options.get("tokenizer_class") or config.get("tokenizer_class") or ""
  if not isinstance(name, str):
    raise UsageError(f"{path}: tokenizer_class is {name!r}, not a name")
  return Settings(
    directory=directory,
    config=config,
    options=options,
    class_name=name.removesuffix("Fast"),
    named=named,
    added=added,
    own=[
      value
      for key, value in options.items()
      if key.endswith("_token")
      and key.removesuffix("_token") not in PARTS
      and isinstance(value, str)
    ],
    extra=_extra(options, path),
  )


def _extra(options: dict[str, Any], path: pathlib.Path) -> list[Any] | None:
  """Special tokens without a part of their own, in the order told."""
  if "extra_special_tokens" not in options:
    return None
  extra = options["extra_special_tokens"] or []
  if not isinstance(extra, (dict, list)):
    raise UsageError(f"{path}: extra_special_tokens is {extra!r}, not a list")
  values = extra.values() if isinstance(extra, dict) else extra
  return [added_token(value, path) for value in values]
