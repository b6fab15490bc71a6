"""Reads published sets of minimal pairs, in the files they are published in.

BLiMP and ZhoBLiMP (JSON lines, ZhoBLiMP's in a .tar.gz), SLING and JBLiMP
(JSON lines), RuBLiMP (CSV), TurBLiMP (CSV parted by semicolons or commas) and
MultiBLiMP (tab-separated): a file, an archive, or a directory of such files.
"""

from __future__ import annotations

import csv
import io
import pathlib
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from lm_jax.data import lines, paths
from lm_jax.examples import files, records
from lm_jax.examples.files import Record, Source
from lm_jax.support import errors
from lm_jax.support.errors import UsageError

# Names of the fields: in lm_jax, in BLiMP, SLING and ZhoBLiMP, in JBLiMP and
# TurBLiMP, in MultiBLiMP and CLiMP, in RuBLiMP, and in hanzi-structure.
_GOOD = (
  *("good", "sentence_good", "good_sentence", "sen", "source_sentence"),
  "sent_good",
)
_BAD = (
  *("bad", "sentence_bad", "bad_sentence", "wrong_sen", "target_sentence"),
  "sent_bad",
)
# (SLING capitalizes some in some of its files.)
_UID = (
  *("uid", "UID", "paradigm", "Paradigm", "PID", "phenomenon"),
  "condition",
)
_NUMBER = ("pair_id", "pairID", "pair_ID", "ID", "id")
# Groups of the pairs of a paradigm; some sets have no field.
_GROUPS = {
  "field": ("field", "level"),
  "term": (
    *("term", "linguistics_term", "phenomenon", "Phenomenon"),
    "Structure",
  ),
}
_JSON, _TABLES = (".jsonl",), (".csv", ".tsv")
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_MOST = 2**28  # bytes of a file in an archive


class Pair(NamedTuple):
  """A better and a worse sentence.

  id: names it in its data.
  groups: names such as "field/syntax"; each group gets an accuracy, listed
    under its level, "field".
  """

  id: str
  good: str
  bad: str
  groups: tuple[str, ...] = ()


def read(place: str, flag: str) -> list[Pair]:
  """Reads all pairs of a local place.

  Args:
    place: a file of JSON lines (or the prefix of its name), a table (.csv,
      .tsv), an archive (.tar.gz) or a directory of them; of a directory with
      JSON lines these count, and not tables of the same pairs.
    flag: names the place in messages.

  Raises:
    UsageError: there is no such file, or a record is no pair.
  """
  path = pathlib.Path(place).expanduser()
  if path.is_dir() and (paths_in := _in_folder(path)):
    return _apart({_stem(one, path): list(_of_file(one)) for one in paths_in})
  if path.is_file():
    return list(_of_file(path))
  return from_records(records.read(place, flag))


def _stem(path: pathlib.Path, folder: pathlib.Path) -> str:
  """Names a file of a folder: Anaphor/Plural/baseline_male."""
  relative = path.relative_to(folder)
  return str(relative.with_name(relative.name.partition(".")[0]))


def _apart(by_file: Mapping[str, Sequence[Pair]]) -> list[Pair]:
  """Joins the pairs of several files.

  A paradigm whose name is in several files, as in SLING, has the file's name in
  its place, so that no two are taken for one.
  """
  homes: dict[str, set[str]] = {}
  for file, pairs in by_file.items():
    for pair in pairs:
      homes.setdefault(pair.groups[-1], set()).add(file)
  joined = []
  for file, pairs in by_file.items():
    for pair in pairs:
      if len(homes[pair.groups[-1]]) > 1:
        number = pair.id.removeprefix(pair.groups[-1].removeprefix("uid/"))
        groups = (*pair.groups[:-1], f"uid/{file}")
        pair = pair._replace(id=f"{file}{number}", groups=groups)
      joined.append(pair)
  return joined


def from_records(source: Source, stem: str = "") -> list[Pair]:
  """Makes pairs of records.

  Args:
    stem: the name of their file, for paradigms that have none of their own.
  """
  pairs = []
  for where, name, record in source:
    with errors.about(where):
      pairs.append(_pair(record, name if stem else where, stem))
  return pairs


def _pair(record: Record, name: str, stem: str) -> Pair:
  number = next((record[n] for n in _NUMBER if n in record), name)
  names = [name for name in _UID if name in record]
  if stem and names in ([], ["phenomenon"]):
    uid = stem
  else:
    uid = records.text(record, *_UID)
  groups = [
    f"{group}/{records.text(record, *fields)}"
    for group, fields in _GROUPS.items()
    if any(field in record for field in fields)
  ]
  return Pair(
    id=f"{uid}/{number}",
    good=records.text(record, *_GOOD),
    bad=records.text(record, *_BAD),
    groups=(*groups, f"uid/{uid}"),
  )


def _in_folder(folder: pathlib.Path) -> list[pathlib.Path]:
  """Lists the files of a directory; [] where it has a file of a split."""
  names = [pathlib.Path(name) for name in paths.expand(str(folder))]
  if any(path.name.partition(".")[0] in records.SPLITS for path in names):
    return []
  for ends in (_JSON, _TABLES, _ARCHIVES):
    if own := [path for path in names if _has(path, ends)]:
      return own
  return []


def _has(path: pathlib.Path, ends: tuple[str, ...]) -> bool:
  return any(files.has_suffix(path, end.removesuffix(".gz")) for end in ends)


def _of_file(path: pathlib.Path) -> Iterator[Pair]:
  if _has(path, _ARCHIVES):
    yield from _of_archive(path)
  elif _has(path, _TABLES):
    yield from _of_table(lines.content(path), path.name, str(path))
  else:
    source = records.read_file(path)
    yield from from_records(_named(source, path.name.partition(".")[0]))


def _named(source: Source, stem: str) -> Source:
  """Names the paradigm of records without one by their file.

  BabyLM's supplement of BLiMP has it there alone.
  """
  for where, name, record in source:
    named = any(field in record for field in _UID)
    yield where, name, record if named else {"uid": stem, **record}


def _of_archive(path: pathlib.Path) -> Iterator[Pair]:
  """Reads the members of an archive, which is never unpacked."""
  empty = True
  try:
    with tarfile.open(path) as archive:
      for member in sorted(archive.getmembers(), key=lambda m: m.name):
        name = pathlib.Path(member.name)
        hidden = name.name.startswith(".")
        if not member.isfile() or hidden or not _has(name, _JSON + _TABLES):
          continue
        if member.size > _MOST:
          raise UsageError(f"{path}: {name}: has more than {_MOST} bytes")
        data = archive.extractfile(member)
        assert data is not None  # of a file
        empty = False
        yield from _of_bytes(data.read(), name, f"{path}: {name}")
  except (tarfile.TarError, EOFError, OSError) as error:
    raise UsageError(f"{path}: is no archive: {error}") from error
  if empty:
    raise UsageError(f"{path}: holds no .jsonl, .csv or .tsv file")


def _of_bytes(data: bytes, name: pathlib.Path, where: str) -> list[Pair]:
  if _has(name, _TABLES):
    return list(_of_table(data, name.name, where))

  def source() -> Source:
    for number, line in enumerate(data.split(b"\n"), start=1):
      if line.strip():
        at = f"{where}, line {number}"
        yield at, str(number), files.as_record(lines.parsed(line, at), at)

  return from_records(source())


def _of_table(data: bytes, name: str, where: str) -> Iterator[Pair]:
  """Reads a table with a header; its first line tells what parts cells."""
  try:
    text = data.decode("utf-8-sig")
  except UnicodeDecodeError as error:
    raise UsageError(f"{where}: byte {error.start} is not UTF-8") from error
  head = text.partition("\n")[0]
  parting = max(",;\t", key=head.count)
  rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=parting)

  def source() -> Source:
    for row in rows:
      at = f"{where}, line {rows.line_num}"
      if None in row or None in row.values():
        raise UsageError(f"{at}: must have {len(rows.fieldnames or ())} cells")
      yield at, str(rows.line_num), {k: v for k, v in row.items() if v}

  stem = name.partition(".")[0]
  try:
    pairs = from_records(source(), stem)
  except csv.Error as error:
    raise UsageError(f"{where}: {error}") from error
  if not pairs:
    raise UsageError(f"{where}: is empty")
  yield from pairs
