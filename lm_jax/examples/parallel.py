"""Texts in several languages: JSONL, files side by side, TFDS."""

from __future__ import annotations

import collections
import functools
import itertools
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lm_jax.data import lines, text
from lm_jax.examples import labelled, splits
from lm_jax.examples.forms import Rewriting
from lm_jax.examples.labelled import DEV, TEST, TRAIN, Record
from lm_jax.support.errors import UsageError, short

Pair = tuple[str, str]
# Texts by the code of their language.
Texts = Mapping[str, str]

_PAIRS = re.compile(
  r"(.*?)(?::([A-Za-z_]+-[A-Za-z_]+(?:,[A-Za-z_]+-[A-Za-z_]+)*))?"
)
_WMT = re.compile(r"\w+_translate/[\w-]+")
ENGLISH = "eng"  # as Tatoeba calls it


class Place(NamedTuple):
  """Where texts are, and from which language into which they are translated.

  path: "" where none was named.
  """

  path: str
  pairs: tuple[Pair, ...]

  @classmethod
  def parse(cls, given: str, default: Sequence[Pair] = ()) -> Place:
    """PATH, or PATH:en-de, or PATH:en-de,de-en,fr-de.

    Args:
      given: what --task_data names.
      default: pairs where it names none.
    """
    found = _PAIRS.fullmatch(given)
    assert found is not None  # all of it is optional
    path, told = found.groups()
    if not told:
      return cls(given, tuple(default))
    pairs = [tuple(pair.split("-")) for pair in told.split(",")]
    return cls(path, tuple((a, b) for a, b in dict.fromkeys(pairs)))

  @property
  def codes(self) -> list[str]:
    return list(dict.fromkeys(itertools.chain(*self.pairs)))


def read(
  place: Place,
  flag: str,
  split: str,
  names: Mapping[str, Sequence[str]],
  tfds: str = "",
) -> list[Rewriting]:
  """The translations of a split, for each pair of languages.

  Local files are JSONL with a field for each language, by its code (perhaps
  inside "translation"), or a file of lines for each language, train.en and
  train.de. Of TRAIN, what is empty in a language is left out.

  Args:
    place: a path as of `splits.read`, a TFDS name (wmt16_translate/de-en), or
      "" for the default one.
    flag: names it in messages.
    split: TRAIN, DEV or TEST.
    names: further names of files by split.
    tfds: the default.

  Raises:
    UsageError: they can't be had, or what is wrong with a line.
  """
  path, name = place.path, place.path or tfds
  is_local = path and not _WMT.fullmatch(path)
  if is_local or not name:
    if not path:
      raise UsageError(f"{flag}: TFDS has it not; needs --task_data=TASK=PATH")
    source = place.codes[0]
    readers = {
      ".jsonl": functools.partial(_jsonl, codes=place.codes),
      f".{source}": functools.partial(_lines, codes=place.codes),
    }
    found = splits.read(path, flag, split, readers, names)
  else:
    theirs = {TRAIN: "train", DEV: "validation", TEST: "test"}[split]
    found = [
      (str(number), _texts(record, place.codes, where))
      for number, (where, record) in enumerate(
        labelled.tfds_records(name, theirs, flag)
      )
    ]
  several = len(place.pairs) > 1
  examples = [
    Rewriting(
      f"{number} {a}-{b}" if several else number, texts[a], (texts[b],), a, b
    )
    for number, texts in found
    for a, b in place.pairs
  ]
  if split == TRAIN:
    return [x for x in examples if x.source.strip() and x.references[0].strip()]
  return examples


def _jsonl(
  path: pathlib.Path, codes: Sequence[str]
) -> Iterator[tuple[str, Texts]]:
  for where, name, record in splits.records(path):
    yield name, _texts(record, codes, where)


def _texts(record: Record, codes: Sequence[str], where: str) -> Texts:
  inner = record.get("translation", record)
  if not isinstance(inner, dict):
    raise UsageError(
      f"{where}: field translation={short(inner)}: must be an object"
    )
  found = {code: labelled.found(inner, (code,), where) for code in codes}
  for code, value in found.items():
    if not isinstance(value, str):
      raise UsageError(f"{where}: field {code}={short(value)}: must be text")
  return found


def _lines(
  path: pathlib.Path, codes: Sequence[str]
) -> Iterator[tuple[str, Texts]]:
  """The lines of a file and of those beside it, in the other languages."""
  gz = ".gz" if path.suffix == ".gz" else ""
  stem = path.name.removesuffix(gz).removesuffix(codes[0])
  columns = []
  for code in codes:
    other = path.with_name(f"{stem}{code}{gz}")
    if not other.is_file():
      raise UsageError(f"{other}: is not there, beside {path.name}")
    columns.append([line for _, line in lines.texts(other)])
  sizes = {code: len(lines) for code, lines in zip(codes, columns, strict=True)}
  if len(set(sizes.values())) > 1:
    told = ", ".join(f"{stem}{code} has {n}" for code, n in sizes.items())
    raise UsageError(f"{path}: files side by side differ in lines: {told}")
  for number, row in enumerate(zip(*columns, strict=True), start=1):
    yield str(number), dict(zip(codes, row, strict=True))


def tatoeba(
  path: pathlib.Path, pairs: Sequence[Pair]
) -> list[tuple[str, Rewriting]]:
  """Sentences of many languages with their English ones: {lang, src, eng}.

  Other pairs of languages are those with the same English sentence; whatever
  translates a sentence is a right translation of it.

  Returns:
    the split of each and the translation: sentences of the same English one
    are in one split.

  Raises:
    UsageError: what is wrong with a line; no sentence in a language.
  """
  known: dict[str, dict[str, dict[str, None]]] = {}
  for where, _, record in splits.records(path):
    code, source, english = (
      labelled.found(record, (key,), where) for key in ("lang", "src", ENGLISH)
    )
    if not all(isinstance(x, str) and x for x in (code, source, english)):
      raise UsageError(f"{where}: lang, src and {ENGLISH} must be texts")
    texts = known.setdefault(english, {ENGLISH: {english: None}})
    texts.setdefault(code, {})[source] = None
  count = collections.Counter(
    code for texts in known.values() for code in texts
  )
  for code in dict.fromkeys(itertools.chain(*pairs)):
    if code not in count:
      raise UsageError(
        f"{path}: has no sentence in {short(code)}; it has {', '.join(count)}"
      )
  if not pairs:
    others = sorted(set(count) - {ENGLISH})
    pairs = [
      pair for code in others for pair in ((code, ENGLISH), (ENGLISH, code))
    ]
  found = []
  ours = {"train": TRAIN, "validation": DEV, "test": TEST}
  for number, (english, texts) in enumerate(known.items(), start=1):
    split = ours[text.held_out(text.text_hash(english))]
    for a, b in pairs:
      if a not in texts or b not in texts:
        continue
      for i, source in enumerate(texts[a]):
        name = f"{number}.{i} {a}-{b}"
        found.append((split, Rewriting(name, source, tuple(texts[b]), a, b)))
  return found
