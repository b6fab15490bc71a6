"""Reads LCSTS: posts of news with short summaries, in tags without a root."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator

from absl import logging

from lm_jax.data import lines
from lm_jax.examples.forms import Rewriting
from lm_jax.support.errors import UsageError, short

# Pairs that a human judged to fit less are left out (Hu et al. 2015, 4.1).
LEAST = 3
_BEGIN = re.compile(r"<doc\b[^>]*>")
_ID = re.compile(r"id=[\"']?(\w+)")
_FIELD = re.compile(r"<(human_label|summary|short_text)>(.*?)</\1>", re.DOTALL)
_END = "</doc>"


def part(path: pathlib.Path) -> Iterator[Rewriting]:
  """Reads PART_I.txt and so on.

  A pair is <doc id=0> <human_label>5</human_label> <summary> ... </summary>
  <short_text> ... </short_text> </doc>, on any number of lines; the judgement
  (1 to 5) is in parts II and III alone.

  Raises:
    UsageError: a line is outside of pairs, or a pair is not valid.
  """
  low, began, content = 0, "", ""
  name = ""
  for where, line in lines.texts(path):
    if began:
      content += f"{line}\n"
    elif match := _BEGIN.match(line.strip()):
      own = _ID.search(match.group())
      name = own.group(1) if own else where.rpartition(" ")[2]
      began, content = where, line.strip()[match.end() :] + "\n"
    elif line.strip():
      raise UsageError(f"{where}: {short(line)}: must be <doc id=...>")
    if began and _END in content:
      pair, label = _pair(content.partition(_END)[0], name, began)
      if label is None or label >= LEAST:
        yield pair
      else:
        low += 1
      began = ""
  if began:
    raise UsageError(f"{began}: its <doc> has no {_END}")
  if low:
    logging.warning(
      "%s: %d pairs with a human_label below %d are left out", path, low, LEAST
    )


def _pair(content: str, name: str, where: str) -> tuple[Rewriting, int | None]:
  fields = {key: text.strip() for key, text in _FIELD.findall(content)}
  for key in ("summary", "short_text"):
    if not fields.get(key):
      raise UsageError(f"{where}: its <doc> has no <{key}>, or an empty one")
  label = fields.get("human_label")
  if label is not None and label not in tuple("12345"):
    raise UsageError(f"{where}: human_label={short(label)}: must be 1 to 5")
  pair = Rewriting(name, fields["short_text"], (fields["summary"],))
  return pair, int(label) if label else None
