"""Reads SemEval-2010 task 8: the relation of two marked words."""

from __future__ import annotations

import pathlib
import re

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short

RELATIONS = (
  "Cause-Effect",
  "Component-Whole",
  "Content-Container",
  "Entity-Destination",
  "Entity-Origin",
  "Instrument-Agency",
  "Member-Collection",
  "Message-Topic",
  "Product-Producer",
)
OTHER = "Other"
LABELS = (
  *(f"{name}({way})" for name in RELATIONS for way in ("e1,e2", "e2,e1")),
  OTHER,
)
_NUMBERED = re.compile(r'(\d+)\s+"(.*)"')
_MARKED = re.compile(
  r"[^<]*?<(e[12])>(.*?)</\1>.*?<(?!\1)(e[12])>(.*?)</\3>.*", re.DOTALL
)


def records(path: pathlib.Path) -> files.Source:
  """Yields a record {"text", "label"} of each example.

  Args:
    path: .jsonl of such records, or a .txt of the archive: a numbered sentence
      in quotes, its relation, a comment, an empty line.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  if files.has_suffix(path, ".jsonl"):
    for where, name, record in files.records(path):
      with errors.about(where):
        check(str(record.get("text", "")))
      yield where, name, record
    return
  sentence: tuple[str, str, str] | None = None
  for where, line in lines.texts(path):
    line = line.strip()
    if not line or line.startswith("Comment:"):
      continue
    numbered = _NUMBERED.fullmatch(line)
    if (numbered is None) == (sentence is None):
      wanted = (
        "a numbered sentence in quotes" if sentence is None else "a relation"
      )
      raise UsageError(f"{where}: {short(line)}: must be {wanted}")
    if numbered:
      with errors.about(where):
        check(numbered[2])
      sentence = (where, numbered[1], numbered[2])
    elif sentence:
      _, name, text = sentence
      yield where, name, {"text": text, "label": line}
      sentence = None
  if sentence:
    raise UsageError(f"{sentence[0]}: has no relation after it")


def check(text: str) -> None:
  """Raises UsageError unless both words are marked, once each."""
  if not _MARKED.fullmatch(text) or any(
    text.count(mark) != 1 for mark in ("<e1>", "</e1>", "<e2>", "</e2>")
  ):
    raise UsageError(
      f"{short(text)}: must have one <e1>...</e1> and one <e2>...</e2>"
    )


def entities(text: str) -> tuple[str, str]:
  """Returns the words marked e1 and e2 in a text that `check` accepts."""
  match = _MARKED.fullmatch(text)
  assert match is not None
  first, second = match[2].strip(), match[4].strip()
  return (first, second) if match[1] == "e1" else (second, first)


def triple(text: str, label: str) -> tuple[str, str, str] | None:
  """Returns subject, relation and object; None for "Other"."""
  relation, _, way = label.partition("(")
  if label == OTHER:
    return None
  first, second = entities(text)
  if way == "e2,e1)":
    first, second = second, first
  return first, relation, second


def plain(text: str) -> str:
  """Removes the marks from a text."""
  return re.sub(r"</?e[12]>", "", text)
