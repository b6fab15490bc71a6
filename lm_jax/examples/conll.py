"""Words with tags: CoNLL's columns, and JSONL with tokens and tags.

Tags come out as IOB2: B begins an entity, I goes on with it. IOB1 (I begins
one, B only where it follows one of its kind) and BIOES or BILOU are converted.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Sequence

from absl import logging

from lm_jax.data import lines
from lm_jax.examples import labelled, splits
from lm_jax.examples.forms import Tagged
from lm_jax.support.errors import UsageError, short
from lm_jax.support.printable import printable

OUTSIDE = "O"
_TAG = re.compile(r"[BIESLU]-\S+")
_DOCUMENT = "-DOCSTART-"
# What ends or is alone of BIOES and BILOU, as IOB2 has it.
_ALONE = {"S": "B", "U": "B", "E": "I", "L": "I"}


def columns(path: pathlib.Path) -> Iterator[Tagged]:
  """A file of lines "word ... tag", and an empty one between sentences.

  Columns are parted by tabs, or else by blanks; the first is the word,
  the last the tag. Lines with -DOCSTART- are passed over.

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  yield from to_iob2(_sentences(path), str(path))


def jsonl(path: pathlib.Path) -> Iterator[Tagged]:
  """A file of objects {"tokens": [...], "tags": [...]}.

  Raises:
    UsageError: what is wrong with a line, by number.
  """

  def read() -> Iterator[tuple[list[str], Tagged]]:
    for where, name, record in splits.records(path):
      words, tags = (
        _strings(labelled.found(record, names, where), names[0], where)
        for names in (("tokens", "words"), ("tags", "ner_tags", "labels"))
      )
      if len(words) != len(tags):
        raise UsageError(
          f"{where}: has {len(words)} tokens and {len(tags)} tags"
        )
      yield [where] * len(words), Tagged(name, words, tags)

  yield from to_iob2(read(), str(path))


READERS = {
  ".jsonl": jsonl,
  **dict.fromkeys(
    (".conll", ".iob", ".iob2", ".bio", ".bioes", ".tsv", ".txt"), columns
  ),
}


def _strings(value, name: str, where: str) -> tuple[str, ...]:
  if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
    raise UsageError(
      f"{where}: field {name}={short(value)}: must be a list of texts"
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
  sentences: Iterator[tuple[list[str], Tagged]], what: str
) -> list[Tagged]:
  """Sentences of one scheme, the place of each word told, as IOB2.

  Args:
    sentences: of each the places of its words, and itself.
    what: names them in messages.

  A tag that no scheme has there, as an I in IOB2 that goes on with nothing,
  begins an entity, as conlleval has it; they are counted and told.

  Raises:
    UsageError: what is no tag.
  """
  found = list(sentences)
  marks = {tag[0] for _, one in found for tag in one.tags if _TAG.match(tag)}
  long = bool(marks & set(_ALONE))
  wrong: list[str] = []  # where an entity begins with I
  plain = True  # does B begin an entity only where IOB1 has it?
  for wheres, one in found:
    before = OUTSIDE
    for where, tag in zip(wheres, one.tags, strict=True):
      if tag != OUTSIDE and not _TAG.fullmatch(tag):
        raise UsageError(
          f"{where}: tag {short(tag)}: must be O, or B-, I- (or E-, S-, L-, U-)"
          " and a kind"
        )
      begins = tag[0] not in "BSU" and not _goes_on(before, tag)
      if tag != OUTSIDE and begins:
        wrong.append(f"{where}: tag {tag} follows {before}")
      if tag[0] == "B" and before[2:] != tag[2:]:
        plain = False
      before = tag
  if wrong and (long or not plain):
    logging.warning(
      "%s: tags that go on with no entity begin one, as conlleval has it: %d,"
      " the first in %s",
      what,
      len(wrong),
      printable(wrong[0]),
    )
  elif wrong or long:
    scheme = "BIOES" if long else "IOB1"
    logging.info("%s: tags are %s; read as IOB2", what, scheme)
  return [
    Tagged(one.id, one.words, tuple(_converted(one.tags))) for _, one in found
  ]


def _goes_on(before: str, tag: str) -> bool:
  """May an entity be going on from one tag to the next?"""
  return before[0] in "BI" and before[2:] == tag[2:]


def _converted(tags: Sequence[str]) -> Iterator[str]:
  before = OUTSIDE
  for tag in tags:
    mark = _ALONE.get(tag[0], tag[0])
    if mark == "I" and not _goes_on(before, tag):
      mark = "B"  # IOB1, or what no scheme has
    yield tag if tag == OUTSIDE else mark + tag[1:]
    before = tag


def entities(tags: Sequence[str]) -> list[tuple[str, int, int]]:
  """The kind of each entity, its first word and the one behind its last.

  I begins one where none of its kind goes on, as conlleval has it.

  >>> entities(["B-x", "I-x", "B-x", "O", "I-y"])
  [('x', 0, 2), ('x', 2, 3), ('y', 4, 5)]
  """
  found: list[tuple[str, int, int]] = []
  before = OUTSIDE
  for i, tag in enumerate(tags):
    kind = tag[2:]
    if tag[0] == "I" and before[2:] == kind and before != OUTSIDE:
      found[-1] = (kind, found[-1][1], i + 1)
    elif tag != OUTSIDE:
      found.append((kind, i, i + 1))
    before = tag
  return found
