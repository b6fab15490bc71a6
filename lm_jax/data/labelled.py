"""Labelled examples: of local JSONL files, or of a TFDS data set.

Local files are PATH/train.jsonl and PATH/test.jsonl, or PATH_train.jsonl and
PATH_test.jsonl, gzipped or not; "dev" or "validation" stands in for "test".
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import pathlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lm_jax.data.examples import Example as Example
from lm_jax.errors import UsageError, short

TRAIN, DEV, TEST = "train", "dev", "test"
# What the files of a split may be called.
_NAMES = {
  TRAIN: (TRAIN,),
  DEV: (DEV, "validation", "valid", "val"),
  TEST: (TEST, DEV, "validation", "valid", "val"),
}
_SUFFIXES = (".jsonl", ".jsonl.gz")
_LONGEST_LINE = 2**24  # bytes

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
  path = file_of(place, flag, split)
  return from_path(form, path, empty=split != TEST) if path else []


def file_of(place: str, flag: str, split: str) -> pathlib.Path | None:
  """The file of a split.

  Args:
    place: a directory, or what the names of the files begin with.
    flag: names the place in messages.
    split: TRAIN, DEV or TEST.

  Returns:
    None without a file for training, or without one for DEV beside one for
    TEST.

  Raises:
    UsageError: no file for testing.
  """
  base = pathlib.Path(place).expanduser()
  stem = f"{base}/" if base.is_dir() else f"{base}_"
  if split == DEV and not _exists(stem, TEST):
    return None  # What there is stands in for the test split.
  tried = [f"{stem}{name}{end}" for name in _NAMES[split] for end in _SUFFIXES]
  for name in tried:
    if pathlib.Path(name).is_file():
      return pathlib.Path(name)
  if split != TEST:
    return None
  raise UsageError(f"{flag}={place}: no such file; tried {', '.join(tried)}")


def from_path(
  form: Form, path: pathlib.Path, empty: bool = False
) -> list[Example]:
  """The examples of a file, in its order; each is named by its line.

  empty: may there be none?

  Raises:
    UsageError: what is wrong with a line, by number.
  """
  found = []
  for number, line in enumerate(lines(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      found.append(form.example(record(line, where), str(number), where))
  if not found and not empty:
    raise UsageError(f"{path}: is empty")
  return found


def _exists(stem: str, name: str) -> bool:
  return any(pathlib.Path(f"{stem}{name}{end}").is_file() for end in _SUFFIXES)


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


def tfds_records(
  name: str, split: str, flag: str
) -> Iterator[tuple[str, Record]]:
  """Where each record of a TFDS split is, and the record as JSON has it.

  Raises:
    UsageError: the data set is not there and can't be prepared.
  """
  from lm_jax.data import catalog

  try:
    builder = catalog.find(name)
    catalog.prepare(builder, name)
    source = catalog.source(builder, name, split)
  except UsageError as error:
    reason = str(error).removeprefix(f"--data.corpus={name}: ")
    raise UsageError(
      f"{flag}: its data set {name}: {reason}; or name local files by"
      " --task_data=TASK=PATH"
    ) from None
  names = {
    key: feature.names
    for key, feature in builder.info.features.items()
    if getattr(feature, "names", None)
  }
  for number, record in enumerate(source):
    yield (
      f"{name}, {split}[{number}]",
      {key: _plain(value, names.get(key)) for key, value in record.items()},
    )


def _plain(value: Any, names: list[str] | None = None) -> Any:
  """A value of TFDS as JSON has it; of a class label its name."""
  if isinstance(value, bytes):
    return value.decode()
  if isinstance(value, dict):
    return {key: _plain(inner) for key, inner in value.items()}
  if isinstance(value, list) or (hasattr(value, "shape") and value.shape):
    return [_plain(inner) for inner in value]
  if names and 0 <= int(value) < len(names):
    return names[int(value)]
  return value.item() if hasattr(value, "item") else value


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
  try:
    value = json.loads(line.decode("utf-8-sig"))
  except UnicodeDecodeError as error:
    raise UsageError(
      f"{where}: is not UTF-8: byte {error.start} is {line[error.start]:#04x}"
    ) from None
  except (ValueError, RecursionError) as error:
    raise UsageError(f"{where}: not JSON: {error}") from None
  if not isinstance(value, dict):
    raise UsageError(f"{where}: must be an object, not {short(value)}")
  return value


def lines(path: pathlib.Path) -> Iterator[bytes]:
  """The lines of a file, gzipped or not.

  Raises:
    UsageError: it cannot be read, is damaged, or a line is too long.
  """
  opener: Any = gzip.open if path.suffix == ".gz" else open
  try:
    with opener(path, "rb") as file:
      while line := file.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
          raise UsageError(f"{path}: a line of more than {_LONGEST_LINE} bytes")
        yield line
  except (gzip.BadGzipFile, EOFError, zlib.error) as error:
    raise UsageError(f"{path}: damaged gzip file: {error}") from None
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
