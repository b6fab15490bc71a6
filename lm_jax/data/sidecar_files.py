"""Reads the files beside a tokenizer.json that is used unchanged."""

from __future__ import annotations

import pathlib

from lm_jax import specials as specials_lib
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials

# The ids of the language tokens by name, if there are any.
LANGUAGES = "languages.json"
FILES = (specials_lib.FILE, LANGUAGES)


def specials(path: pathlib.Path) -> Specials | None:
  """Reads the specials.json beside `path`; None if there is none."""
  where = path.with_name(specials_lib.FILE)
  text = _read(where)
  return None if text is None else specials_lib.from_json(text, where)


def check_ids(path: pathlib.Path, tokens: Specials, size: int) -> None:
  """Raises UsageError unless all ids are below the vocabulary's size."""
  if tokens.ids[-1] >= size:
    raise UsageError(
      f"{path.with_name(specials_lib.FILE)}: the id {tokens.ids[-1]} is not "
      f"below {size}, the vocabulary of {path.name}"
    )


def languages(path: pathlib.Path, size: int) -> dict[str, int]:
  """Reads the languages.json beside `path`; {} if there is none.

  Its ids must be below the vocabulary's size.
  """
  where = path.with_name(LANGUAGES)
  text = _read(where)
  if text is None:
    return {}
  ids = strict_json.parse(text, where)
  if not isinstance(ids, dict) or not all(
    type(i) is int and 0 <= i < size for i in ids.values()
  ):
    raise UsageError(
      f"{where}: must be an object of ids from 0 to {size - 1}, by name"
    )
  return ids


def _read(path: pathlib.Path) -> str | None:
  if not path.is_file():
    return None
  return strict_json.text_of(path)
