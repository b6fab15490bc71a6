"""Checks a tokenizer.json before the tokenizers library, which trusts it.

The library's errors come in three kinds, and one of them (a panic of its Rust
code) is no Exception; and a small file may make it use much memory, or give
ids that differ from one call to the next.
"""

from __future__ import annotations

import contextlib
import math
import pathlib
from collections.abc import Iterator
from typing import Any

from lm_jax.data import panics
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError

# Ids are below this: there is a table of them. XLM-V has 901,629.
MOST_TOKENS = 2**24
# Bytes that a normalizer may make of one byte. Those of SentencePiece make 3 of
# a space; a few replacements one after the other could make 10^12.
MOST_GROWTH = 1000


def read(path: pathlib.Path) -> tuple[str, Any]:
  """Reads a tokenizer.json as text and as JSON; raises UsageError."""
  where = f"--data.tokenizer={path}: not a tokenizer.json"
  content = strict_json.text_of(path, where)
  return content, strict_json.parse(content, where)


@contextlib.contextmanager
def using(path: pathlib.Path) -> Iterator[None]:
  """Turns whatever the library raises in this context into a UsageError.

  path: the file to name in messages.
  """
  try:
    with panics.silence_panics():
      yield
  except UsageError:
    raise
  except BaseException as error:
    if not panics.is_panic(error) and not isinstance(error, Exception):
      raise
    raise not_a_tokenizer(path, error) from error


def not_a_tokenizer(path: pathlib.Path, error: BaseException) -> UsageError:
  """Returns the error for a file that is not a working tokenizer.json."""
  return UsageError(f"--data.tokenizer={path}: not a tokenizer.json: {error!r}")


def build(content: str, parsed: Any, path: pathlib.Path) -> Any:
  """Builds the library's tokenizer of a file's text and JSON value.

  Raises:
    UsageError: it is no tokenizer.json, or exceeds the limits.
  """
  import tokenizers

  check(parsed, path)
  with using(path):
    built = tokenizers.Tokenizer.from_str(content)
    built.no_truncation()
    built.no_padding()
    if getattr(built.model, "dropout", None):
      # Random merges: the same text would give other ids at the next call.
      built.model.dropout = None
    ids = built.get_vocab().values()
  if max(ids, default=-1) >= MOST_TOKENS:
    raise UsageError(
      f"{path}: has a token of id {max(ids)}; valid is at most "
      f"{MOST_TOKENS - 1}"
    )
  return built


def check(parsed: Any, path: pathlib.Path) -> None:
  """Raises UsageError where a file is no object or its normalizer explodes."""
  if not isinstance(parsed, dict):
    raise UsageError(f"{path}: not a tokenizer.json: must hold a JSON object")
  growth = _growth(parsed.get("normalizer"))
  if growth > MOST_GROWTH:
    raise UsageError(
      f"{path}: its normalizer may make {growth:.0e} bytes of one; at most "
      f"{MOST_GROWTH} are valid"
    )


def _growth(step: Any) -> float:
  """Bound on the bytes that a normalizer step makes of one byte."""
  if not isinstance(step, dict):
    return 1.0
  inner = step.get("normalizers")
  if isinstance(inner, list):
    return math.prod(map(_growth, inner))
  added = step.get("content", step.get("prepend"))
  # A pattern may match nothing: then the content stands between the bytes.
  return 1.0 + len(added.encode()) if isinstance(added, str) else 1.0
