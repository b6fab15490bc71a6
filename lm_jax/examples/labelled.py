"""Labelled examples: of local JSONL or TSV files, or of a TFDS data set.

Local files are PATH/train.jsonl and PATH/test.jsonl, or PATH_train.jsonl and
PATH_test.jsonl, gzipped or not; "dev" or "validation" stands in for "test",
also where the labels of the test split are kept secret (GLUE, SuperGLUE).
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from lm_jax.data import lines
from lm_jax.data.tfds_records import tfds_records as tfds_records
from lm_jax.examples.forms import Example as Example
from lm_jax.support.errors import UsageError, short

TRAIN, DEV, TEST = "train", "dev", "test"
# What the files of a split may be called.
_NAMES = {
  TRAIN: (TRAIN,),
  DEV: (DEV, "validation", "valid", "val"),
  TEST: (TEST,),
}
_TABLES = (".tsv", ".tsv.gz")
_SUFFIXES = (".jsonl", ".jsonl.gz", *_TABLES)
# In the place of a label that is kept secret.
_SECRET = (None, "", -1, "-1")

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Form:
  """What examples of a task hold, and what that is called in the data.

  fields: of each field the names that it may have, in the order of preference.
  label: the names of the label.
  labels: the names of the labels; data may also give their numbers in this
    order. () where the answer is any text.
  spellings: further names of labels.
  tfds: the data set's name, "glue/sst2"; "" for none.
  splits: of TFDS, by ours.
  prepare: what is done to a record before it is read; KeyError names a field
    that it lacks, ValueError tells what else is wrong.
  columns: of tables that do not name them.
  names: of local files, further ones by split.
  """

  fields: Mapping[str, tuple[str, ...]]
  labels: tuple[str, ...] = ()
  label: tuple[str, ...] = ("label",)
  spellings: Mapping[str, str] = dataclasses.field(default_factory=dict)
  tfds: str = ""
  splits: Mapping[str, str] = dataclasses.field(
    default_factory=lambda: {TRAIN: "train", TEST: "validation"}
  )
  prepare: Callable[[Record], Record] | None = None
  columns: tuple[str, ...] = ()
  names: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

  def name_of(self, value: Any, where: str) -> str:
    """The label that a value stands for: its name or its number.

    Raises:
      UsageError: there is no such label.
    """
    if not self.labels:
      return str(value)
    text = str(value)
    text = self.spellings.get(text, text)
    if text in self.labels:
      return text
    if not isinstance(value, bool) and text.isdecimal():
      number = int(text[:9])
      if number < len(self.labels):
        return self.labels[number]
    valid = ", ".join(f"{i} {name}" for i, name in enumerate(self.labels))
    raise UsageError(f"{where}: label {short(value)}: unknown; valid: {valid}")

  def example(self, record: Record, name: str, where: str) -> Example:
    """The example that a record holds.

    Raises:
      UsageError: a field is missing or no text, or there is no such label.
    """
    if self.prepare is not None:
      try:
        record = self.prepare(record)
      except KeyError as error:
        found(record, (str(error.args[0]),), where)
        raise
      except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    fields = {}
    for field, names in self.fields.items():
      value = found(record, names, where)
      if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where}: field {field}={short(value)}: must be text")
      fields[field] = str(value)
    label = self.name_of(found(record, self.label, where), where)
    return Example(name, fields, label)


def from_files(form: Form, place: str, flag: str, split: str) -> list[Example]:
  """The examples of a split in local files.

  Args:
    form: what they hold.
    place: a directory, or what the names of the files begin with.
    flag: names the place in messages.
    split: TRAIN or TEST.

  Returns:
    all of them, in the order of the file; [] without a file for training, or
    without one for DEV beside one for TEST.

  Raises:
    UsageError: no file for testing; what is wrong with a line, by number.
  """
  path = file_of(place, flag, split, form)
  return from_path(form, path, empty=split != TEST) if path else []


def file_of(
  place: str, flag: str, split: str, form: Form | None = None
) -> pathlib.Path | None:
  """The file of a split.

  Args:
    place: a directory, or what the names of the files begin with.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.
    form: of what the files hold; a test split without labels is none, if
      there is another to stand in for it.

  Returns:
    None without a file for training, or without one for DEV beside one for
    TEST.

  Raises:
    UsageError: no file for testing.
  """
  own = form.names if form else {}
  tried = {
    key: paths(place, (*names, *own.get(key, ())))
    for key, names in _NAMES.items()
  }
  files = {
    key: next((path for path in some if path.is_file()), None)
    for key, some in tried.items()
  }
  test = files[TEST]
  if form and files[DEV] and test and not _told(form, test):
    files[TEST] = None
  if files[TEST] is None:  # What there is stands in for the test split.
    files |= {TEST: files[DEV], DEV: None}
  if split == TEST and files[TEST] is None:
    all_tried = ", ".join(map(str, [*tried[TEST], *tried[DEV]]))
    raise UsageError(f"{flag}={place}: no such file; tried {all_tried}")
  return files[split]


def paths(place: str, names: Iterable[str]) -> list[pathlib.Path]:
  """What files of some names may be called.

  Args:
    place: a directory, or what the names of the files begin with.
    names: that follow, without their ends.
  """
  base = pathlib.Path(place).expanduser()
  stem = f"{base}/" if base.is_dir() else f"{base}_"
  return [pathlib.Path(f"{stem}{x}{end}") for x in names for end in _SUFFIXES]


def _told(form: Form, path: pathlib.Path) -> bool:
  """Does the first record of a file have its label?"""
  for _, _, value in _records(form, path):
    try:
      value = form.prepare(value) if form.prepare else value
    except KeyError as error:
      return error.args[0] not in form.label
    except ValueError:
      return True  # Who reads it says what is wrong.
    return next((value[x] for x in form.label if x in value), None) not in (
      _SECRET
    )
  return True


def from_path(
  form: Form, path: pathlib.Path, empty: bool = False
) -> list[Example]:
  """The examples of a file, in its order; each is named by its line.

  empty: may there be none?

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  found = [
    form.example(record, name, where)
    for where, name, record in _records(form, path)
  ]
  if not found and not empty:
    raise UsageError(f"{path}: is empty")
  return found


def _records(
  form: Form, path: pathlib.Path
) -> Iterator[tuple[str, str, Record]]:
  """Where each record of a file is, its line number, and itself."""
  if path.name.endswith(_TABLES):
    from lm_jax.examples import tables

    names = [*form.label, *(x for each in form.fields.values() for x in each)]
    yield from tables.records(path, form.columns, names)
    return
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      yield where, str(number), record(line, where)


def from_tfds(form: Form, flag: str, split: str) -> list[Example]:
  """The examples of a split of the TFDS data set, prepared if need be.

  Raises:
    UsageError: it is not there and can't be prepared; as Form.example.
  """
  if split not in form.splits:
    return []
  source = tfds_records(form.tfds, form.splits[split], flag)
  return [
    form.example(plain, str(number), where)
    for number, (where, plain) in enumerate(source)
  ]


def found(record: Record, names: tuple[str, ...], where: str) -> Any:
  """The first of some fields that a record has, or UsageError."""
  for name in names:
    if name in record:
      return record[name]
  held = ", ".join(short(name) for name in sorted(record)[:20])
  raise UsageError(
    f"{where}: no field {' or '.join(map(repr, names))}; it has"
    f" {held or 'no fields'}"
  )


def record(line: bytes, where: str) -> Record:
  """The JSON object of a line; UsageError where there is none."""
  value = lines.parsed(line, where)
  if not isinstance(value, dict):
    raise UsageError(f"{where}: must be an object, not {short(value)}")
  return value
