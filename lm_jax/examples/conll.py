"""Reads words with tags: CoNLL's columns, or JSONL with tokens and tags.

Tags are returned as IOB2: B begins an entity, I continues it. IOB1 (I begins
one, B only where it follows one of its kind), BIOES, BMES and BILOU are
converted.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

from absl import logging

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.forms import Tagged
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short
from lm_jax.support.printable import printable

OUTSIDE = "O"
_TAG = re.compile(r"[BIMESLU]-\S+")
_DOCUMENT = "-DOCSTART-"
# Tags of BIOES, BMES and BILOU that IOB2 does not have, in IOB2.
_ALONE = {"S": "B", "U": "B", "E": "I", "L": "I", "M": "I"}


def columns(path: pathlib.Path) -> list[Tagged]:
  """Reads lines "word ... tag", with an empty line between sentences.

  Tabs separate the columns, or else blanks; the first is the word, the last the
  tag. Lines with -DOCSTART- are skipped.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  return to_iob2(_sentences(path), path)


def jsonl(path: pathlib.Path) -> list[Tagged]:
  """Reads a file of objects {"tokens": [...], "tags": [...]}.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  sentences = []
  for where, name, record in files.records(path):
    with errors.about(where):
      words = _strings(record, "tokens", "words")
      tags = _strings(record, "tags", "ner_tags", "labels")
      if len(words) != len(tags):
        raise UsageError(f"has {len(words)} tokens and {len(tags)} tags")
    sentences.append(([where] * len(words), Tagged(name, words, tags)))
  return to_iob2(sentences, path)


READERS = {
  ".jsonl": jsonl,
  **dict.fromkeys(
    (".conll", ".iob", ".iob2", ".bio", ".bioes", ".tsv", ".txt"), columns
  ),
}


def _strings(record: files.Record, *names: str) -> tuple[str, ...]:
  value = files.first_field(record, names)
  if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
    raise UsageError(
      f"field {names[0]}={short(value)}: must be a list of texts"
    )
  return tuple(value)


def _sentences(path: pathlib.Path) -> Iterator[tuple[list[str], Tagged]]:
  wheres: list[str] = []
  rows: list[tuple[str, str]] = []

  def sentence(number: int) -> tuple[list[str], Tagged]:
    words, tags = zip(*rows, strict=True)
    return wheres, Tagged(str(number), words, tags)

  number = 1
  for where, line in lines.texts(path):
    if line.startswith(_DOCUMENT):
      continue
    if line.strip():
      cells = line.split("\t") if "\t" in line else lines.words(line)
      if len(cells) < 2 or not cells[-1].strip():
        raise UsageError(f"{where}: {short(line)}: must be a word and a tag")
      wheres.append(where)
      rows.append((cells[0], cells[-1].strip()))
    elif rows:
      yield sentence(number)
      number, wheres, rows = number + 1, [], []
  if rows:
    yield sentence(number)


def to_iob2(
  sentences: Iterable[tuple[list[str], Tagged]], path: pathlib.Path
) -> list[Tagged]:
  """Converts sentences of one tagging scheme to IOB2.

  Args:
    sentences: pairs of the places of its words, for messages, and itself.
    path: names them in messages.

  A tag that no scheme allows there, such as an I in IOB2 that continues
  nothing, begins an entity, as in conlleval; their number is logged.

  Raises:
    UsageError: a tag is not valid.
  """
  tagged = list(sentences)
  marks = {tag[0] for _, one in tagged for tag in one.tags if _TAG.match(tag)}
  long = bool(marks & set(_ALONE))
  wrong: list[str] = []  # where an entity begins with I
  plain = True  # does B begin an entity only where IOB1 has it?
  for wheres, one in tagged:
    before = OUTSIDE
    for where, tag in zip(wheres, one.tags, strict=True):
      if tag != OUTSIDE and not _TAG.fullmatch(tag):
        raise UsageError(
          f"{where}: tag {short(tag)}: must be O, or B-, I- (or M-, E-, S-, L-,"
          " U-) and a kind"
        )
      begins = tag[0] not in "BSU" and not _may_continue(before, tag)
      if tag != OUTSIDE and begins:
        wrong.append(f"{where}: tag {tag} follows {before}")
      if tag[0] == "B" and before[2:] != tag[2:]:
        plain = False
      before = tag
  if wrong and (long or not plain):
    logging.warning(
      "%s: tags that go on with no entity begin one, as conlleval has it: %d,"
      " the first in %s",
      path,
      len(wrong),
      printable(wrong[0]),
    )
  elif wrong or long:
    scheme = "BIOES" if long else "IOB1"
    logging.info("%s: tags are %s; read as IOB2", path, scheme)
  return [
    Tagged(one.id, one.words, tuple(_converted(one.tags))) for _, one in tagged
  ]


def _may_continue(before: str, tag: str) -> bool:
  """Returns whether an entity may continue from one tag to the next."""
  return before[0] in "BIM" and before[2:] == tag[2:]


def _converted(tags: Sequence[str]) -> Iterator[str]:
  before = OUTSIDE
  for tag in tags:
    mark = _ALONE.get(tag[0], tag[0])
    if mark == "I" and not _may_continue(before, tag):
      mark = "B"  # IOB1, or what no scheme has
    yield tag if tag == OUTSIDE else mark + tag[1:]
    before = tag


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
  """Returns kind, first word and end (exclusive) of each entity.

  I begins one where it continues none of its kind, as in conlleval.

  >>> entities(["B-x", "I-x", "B-x", "O", "I-y"])
  [('x', 0, 2), ('x', 2, 3), ('y', 4, 5)]
  """
  spans: list[tuple[str, int, int]] = []
  before = OUTSIDE
  for i, tag in enumerate(tags):
    kind = tag[2:]
    if tag[0] == "I" and before[2:] == kind and before != OUTSIDE:
      spans[-1] = (kind, spans[-1][1], i + 1)
    elif tag != OUTSIDE:
      spans.append((kind, i, i + 1))
    before = tag
  return spans
