"""Reads texts in several languages: JSONL, parallel files or TFDS."""

from __future__ import annotations

import collections
import functools
import itertools
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lm_jax.data import lines, text
from lm_jax.examples import files
from lm_jax.examples.files import DEV, TEST, TRAIN, Record
from lm_jax.examples.forms import Rewriting
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short

Pair = tuple[str, str]
# Texts by the code of their language.
Texts = Mapping[str, str]

_PAIRS = re.compile(
  r"(.*?)(?::([A-Za-z][\w-]*-[\w-]+(?:,[A-Za-z][\w-]*-[\w-]+)*))?", re.ASCII
)
# A code of BCP 47: a language, perhaps a script and a region.
_CODE = re.compile(
  r"[a-z]{2,3}(?:[-_][A-Z][a-z]{3})?(?:[-_](?:[A-Z]{2}|\d{3}))?", re.ASCII
)
_WMT = re.compile(r"\w+_translate/[\w-]+")
ENGLISH = "eng"  # as Tatoeba calls it


class Place(NamedTuple):
  """Path of texts, and pairs of languages (source, target) to translate.

  path: "" if none was given.
  """

  path: str
  pairs: tuple[Pair, ...]

  @classmethod
  def parse(cls, given: str, default: Sequence[Pair] = ()) -> Place:
    """Parses PATH, PATH:en-de or PATH:en-de,de-en,en-zh-CN.

    Args:
      given: the value of --task_data.
      default: pairs if it names none.

    Raises:
      UsageError: hyphens do not tell where the second language begins.
    """
    match = _PAIRS.fullmatch(given)
    assert match is not None  # all of it is optional
    path, names = match.groups()
    if not names:
      return cls(given, tuple(default))
    pairs = [_pair(pair, given) for pair in names.split(",")]
    return cls(path, tuple(dict.fromkeys(pairs)))

  @property
  def codes(self) -> list[str]:
    return list(dict.fromkeys(itertools.chain(*self.pairs)))


def _pair(text: str, given: str) -> Pair:
  """Parts a pair of codes; a code with hyphens is one of BCP 47.

  Any two codes are parted by two hyphens: en--zh-cn.
  """
  if text.count("--") == 1 and not text.startswith("--"):
    source, _, target = text.partition("--")
    return source, target
  if text.count("-") == 1:
    source, _, target = text.partition("-")
    return source, target
  parts = text.split("-")
  ways = [
    ("-".join(parts[:i]), "-".join(parts[i:])) for i in range(1, len(parts))
  ]
  valid = [way for way in ways if all(map(_CODE.fullmatch, way))]
  if len(valid) != 1:
    raise UsageError(
      f"--task_data={given}: {text}: where does the second language begin?"
      f" write {ways[0][0]}--{ways[0][1]}, or regions in capitals, en-zh-CN"
    )
  return valid[0]


def read(
  place: Place,
  flag: str,
  split: str,
  names: Mapping[str, Sequence[str]],
  tfds: str = "",
) -> list[Rewriting]:
  """Reads the translations of a split, for each pair of languages.

  Local files are JSONL with a field for each language, by its code (perhaps
  inside "translation"), or a file of lines for each language, train.en and
  train.de. In TRAIN, pairs with an empty text are left out.

  Args:
    place: a path (see `files.read`), a TFDS name (wmt16_translate/de-en), or
      "" for the default.
    flag: names it in messages.
    split: TRAIN, DEV or TEST.
    names: further names of files by split.
    tfds: the default TFDS name.

  Raises:
    UsageError: the data are not available, or a line is not valid.
  """
  path, codes = place.path, place.codes

  def entries_of(source: files.Source) -> list[tuple[str, Texts]]:
    return list(
      files.made(source, lambda record, name: (name, _texts(record, codes)))
    )

  if path and not _WMT.fullmatch(path):
    readers: dict[str, files.Reader] = {
      ".jsonl": lambda path: entries_of(files.records(path)),
      f".{codes[0]}": functools.partial(_lines, codes=codes),
    }
    entries = files.read(path, flag, split, readers, names)
  elif path or tfds:
    tfds_split = {DEV: "validation"}.get(split, split)
    entries = entries_of(files.from_tfds(path or tfds, tfds_split, flag))
  else:
    raise UsageError(f"{flag}: TFDS has it not; needs --task_data=TASK=PATH")
  several = len(place.pairs) > 1
  examples = [
    Rewriting(
      f"{number} {a}-{b}" if several else number, texts[a], (texts[b],), a, b
    )
    for number, texts in entries
    for a, b in place.pairs
  ]
  if split == TRAIN:
    return [x for x in examples if x.source.strip() and x.references[0].strip()]
  return examples


def _texts(record: Record, codes: Sequence[str]) -> Texts:
  if "translation" in record:
    record = files.field(record, "translation", kind=dict)
  return {code: files.field(record, code) for code in codes}


def _lines(
  path: pathlib.Path, codes: Sequence[str]
) -> Iterator[tuple[str, Texts]]:
  """Reads a file and the files of the other languages beside it, by line."""
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
    counts = ", ".join(f"{stem}{code} has {n}" for code, n in sizes.items())
    raise UsageError(f"{path}: files side by side differ in lines: {counts}")
  for number, row in enumerate(zip(*columns, strict=True), start=1):
    yield str(number), dict(zip(codes, row, strict=True))


def tatoeba(
  path: pathlib.Path, pairs: Sequence[Pair]
) -> list[tuple[str, Rewriting]]:
  """Reads sentences of many languages with English ones: {lang, src, eng}.

  Sentences with the same English sentence are pairs of other languages; every
  translation of a sentence counts as right.

  Returns:
    Pairs of split and translation; sentences with the same English sentence are
    in one split.

  Raises:
    UsageError: a line is not valid, or a language has no sentence.
  """
  known: dict[str, dict[str, dict[str, None]]] = {}
  for where, _, record in files.records(path):
    with errors.about(where):
      parts = [
        files.first_field(record, (key,)) for key in ("lang", "src", ENGLISH)
      ]
      if not all(isinstance(x, str) and x for x in parts):
        raise UsageError(f"lang, src and {ENGLISH} must be texts")
    code, source, english = parts
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
  translations = []
  names = {"train": TRAIN, "validation": DEV, "test": TEST}
  for number, (english, texts) in enumerate(known.items(), start=1):
    split = names[text.held_out(text.text_hash(english))]
    for a, b in pairs:
      if a not in texts or b not in texts:
        continue
      for i, source in enumerate(texts[a]):
        name = f"{number}.{i} {a}-{b}"
        translations.append(
          (split, Rewriting(name, source, tuple(texts[b]), a, b))
        )
  return translations
