"""Reads labelled examples: local JSONL or TSV files, or a TFDS data set.

Local files are PATH/train.jsonl and PATH/test.jsonl, or PATH_train.jsonl and
PATH_test.jsonl, gzipped or not; "dev" or "validation" stands in for "test",
also where the labels of the test split are secret (GLUE, SuperGLUE).
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
# Valid names of the files of a split.
_NAMES = {
  TRAIN: (TRAIN,),
  DEV: (DEV, "validation", "valid", "val"),
  TEST: (TEST,),
}
_TABLES = (".tsv", ".tsv.gz")
_SUFFIXES = (".jsonl", ".jsonl.gz", *_TABLES)
# Values that stand for a secret label.
_SECRET = (None, "", -1, "-1")

Record = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Form:
  """Fields and labels of the examples of a task, and their names in the data.

  fields: names that each field may have in the data, preferred ones first.
  label: names that the field of the label may have.
  labels: names of the labels; data may also give their numbers in this order.
    () where the answer is any text.
  spellings: further names of labels.
  tfds: the data set's name in TFDS, such as "glue/sst2"; "" for none.
  splits: names of TFDS's splits, by lm_jax's names.
  prepare: changes a record before it is read; its KeyError names a missing
    field, its ValueError says what else is wrong.
  columns: names of the columns of tables that have no header.
  names: further names of local files, by split.
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
    """Returns the label that a value stands for: by its name or its number.

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
    """Makes an example of a record.

    Raises:
      UsageError: a field is missing or is no text, or the label is unknown.
    """
    if self.prepare is not None:
      try:
        record = self.prepare(record)
      except KeyError as error:
        first_field(record, (str(error.args[0]),), where)
        raise
      except ValueError as error:
        raise UsageError(f"{where}: {error}") from None
    fields = {}
    for field, names in self.fields.items():
      value = first_field(record, names, where)
      if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"{where}: field {field}={short(value)}: must be text")
      fields[field] = str(value)
    label = self.name_of(first_field(record, self.label, where), where)
    return Example(name, fields, label)


def from_files(form: Form, place: str, flag: str, split: str) -> list[Example]:
  """Reads the examples of a split from local files.

  Args:
    form: of the examples.
    place: a directory, or the prefix of the names of the files.
    flag: names the place in messages.
    split: TRAIN or TEST.

  Returns:
    All examples, in the order of the file; [] if there is no file for TRAIN, or
    none for DEV beside one for TEST.

  Raises:
    UsageError: there is no file for testing, or a line is not valid (with its
      number).
  """
  path = file_of(place, flag, split, form)
  return from_path(form, path, empty=split != TEST) if path else []


def file_of(
  place: str, flag: str, split: str, form: Form | None = None
) -> pathlib.Path | None:
  """Finds the file of a split.

  Args:
    place: a directory, or the prefix of the names of the files.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.
    form: of the examples; with it, a test split without labels is ignored if
      another split can replace it.

  Returns:
    None if there is no file for TRAIN, or none for DEV beside one for TEST.

  Raises:
    UsageError: there is no file for testing.
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
  if form and files[DEV] and test and not _has_label(form, test):
    files[TEST] = None
  if files[TEST] is None:  # DEV replaces the test split.
    files |= {TEST: files[DEV], DEV: None}
  if split == TEST and files[TEST] is None:
    all_tried = ", ".join(map(str, [*tried[TEST], *tried[DEV]]))
    raise UsageError(f"{flag}={place}: no such file; tried {all_tried}")
  return files[split]


def paths(place: str, names: Iterable[str]) -> list[pathlib.Path]:
  """Lists the paths that files of some names may have.

  Args:
    place: a directory, or the prefix of the names of the files.
    names: the rest of the names, without suffixes.
  """
  base = pathlib.Path(place).expanduser()
  stem = f"{base}/" if base.is_dir() else f"{base}_"
  return [pathlib.Path(f"{stem}{x}{end}") for x in names for end in _SUFFIXES]


def _has_label(form: Form, path: pathlib.Path) -> bool:
  """Returns whether the first record of a file has its label."""
  for _, _, value in _records(form, path):
    try:
      value = form.prepare(value) if form.prepare else value
    except KeyError as error:
      return error.args[0] not in form.label
    except ValueError:
      return True  # Reading the file later raises the error.
    return next((value[x] for x in form.label if x in value), None) not in (
      _SECRET
    )
  return True


def from_path(
  form: Form, path: pathlib.Path, empty: bool = False
) -> list[Example]:
  """Reads the examples of a file, in order; their ids are line numbers.

  empty: whether the file may have none.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  examples = [
    form.example(record, name, where)
    for where, name, record in _records(form, path)
  ]
  if not examples and not empty:
    raise UsageError(f"{path}: is empty")
  return examples


def _records(
  form: Form, path: pathlib.Path
) -> Iterator[tuple[str, str, Record]]:
  """Yields the place, line number and content of each record of a file."""
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
  """Reads a split of the TFDS data set, which is prepared if needed.

  Raises:
    UsageError: it is missing and can't be prepared; see also Form.example.
  """
  if split not in form.splits:
    return []
  source = tfds_records(form.tfds, form.splits[split], flag)
  return [
    form.example(plain, str(number), where)
    for number, (where, plain) in enumerate(source)
  ]


def first_field(record: Record, names: tuple[str, ...], where: str) -> Any:
  """Returns the value of the first name that a record has.

  Raises UsageError if it has none.
  """
  for name in names:
    if name in record:
      return record[name]
  held = ", ".join(short(name) for name in sorted(record)[:20])
  raise UsageError(
    f"{where}: no field {' or '.join(map(repr, names))}; it has"
    f" {held or 'no fields'}"
  )


def record(line: bytes, where: str) -> Record:
  """Parses a line as a JSON object; raises UsageError if it is none."""
  value = lines.parsed(line, where)
  if not isinstance(value, dict):
    raise UsageError(f"{where}: must be an object, not {short(value)}")
  return value
