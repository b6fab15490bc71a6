"""The files of a tokenizer, read and checked; nothing in them is run."""

from __future__ import annotations

import pathlib
from typing import Any

from absl import logging

from lm_jax.support import links, strict_json, typed_json
from lm_jax.support.errors import UsageError

Merges = list[tuple[str, str]]


def text(path: pathlib.Path) -> str:
  """Reads a file of UTF-8; line ends stay as they are."""
  return strict_json.text_of(links.inside(path))


def _lines(path: pathlib.Path) -> list[str]:
  """The lines of a file, whether or not the last one ends."""
  *lines, last = text(path).split("\n")
  return [*lines, last] if last else lines


def json_object(path: pathlib.Path) -> dict[str, Any]:
  """Reads the object in a JSON file; {} where there is no such file."""
  if not path.is_file():
    return {}
  return typed_json.read_as(links.inside(path), dict)


def check_ids(vocabulary: Any, path: pathlib.Path) -> dict[str, int]:
  """A vocabulary whose ids are 0, 1, 2, ..., each of one token."""
  if not isinstance(vocabulary, dict) or not vocabulary:
    raise UsageError(f"{path}: no object of tokens and their ids")
  token_of: dict[int, str] = {}
  for token, i in vocabulary.items():
    if not isinstance(i, int) or isinstance(i, bool) or i < 0:
      raise UsageError(f"{path}: the id of {token!r} is {i!r}, not an integer")
    if i in token_of:
      raise UsageError(
        f"{path}: id {i} is that of {token_of[i]!r} and of {token!r}"
      )
    token_of[i] = token
  if max(token_of) != len(token_of) - 1:
    hole = next(i for i in range(len(token_of)) if i not in token_of)
    raise UsageError(
      f"{path}: no token has id {hole}, though ids go up to {max(token_of)}"
    )
  return vocabulary


def check_tokens(tokens: list[str], path: pathlib.Path) -> None:
  """Raises UsageError where a token stands twice in a list."""
  seen: dict[str, int] = {}
  for i, token in enumerate(tokens):
    if token in seen:
      raise UsageError(f"{path}: {token!r} has two ids, {seen[token]} and {i}")
    seen[token] = i


def word_list(path: pathlib.Path) -> dict[str, int]:
  """vocab.txt of WordPiece: a token a line, its id the line's number.

  White space is a token (U+3000, U+2028 in Chinese vocabularies). A blank line
  is none, and keeps its id by a name that no text has. So do the earlier lines
  of a token that stands twice: its last line is its id, as Transformers reads
  it.
  """
  tokens = [
    line.removesuffix("\r") or _no_text(number)
    for number, line in enumerate(_lines(path), 1)
  ]
  if not tokens:
    raise UsageError(f"{path}: is empty")
  last = {token: i for i, token in enumerate(tokens)}
  earlier = [i for i, token in enumerate(tokens) if last[token] != i]
  if earlier:
    logging.warning(
      "%s: lines of tokens that stand in a later line, too: %d (line %d: %r);"
      " the last line is a token's id",
      path,
      len(earlier),
      earlier[0] + 1,
      tokens[earlier[0]],
    )
  for i in earlier:
    tokens[i] = _no_text(i + 1)
  return {token: i for i, token in enumerate(tokens)}


def _no_text(number: int) -> str:
  """The name of a line without a token of its own."""
  return f"\ufdd0line {number}\ufdd1"


def merges(path: pathlib.Path, vocabulary: dict[str, int]) -> Merges:
  """merges.txt of byte pair encoding: two tokens a line, the first first."""
  pairs: Merges = []
  for number, line in enumerate(_lines(path), 1):
    if line.startswith("#version"):
      continue
    pair = line.rstrip("\r").split(" ")
    if len(pair) != 2 or not all(pair):
      raise UsageError(f"{path}: line {number} is {line!r}, not two tokens")
    pairs.append((pair[0], pair[1]))
  check_merges(pairs, vocabulary, path)
  return pairs


def check_merges(
  pairs: Merges, vocabulary: dict[str, int], path: pathlib.Path
) -> None:
  """Raises UsageError where a merge has a token that is not there."""
  for left, right in pairs:
    for token in (left, right, left + right):
      if token not in vocabulary:
        raise UsageError(
          f"{path}: the merge {left!r} {right!r} needs {token!r}, which the "
          "vocabulary lacks"
        )
