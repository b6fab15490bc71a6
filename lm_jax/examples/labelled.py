"""Reads labelled examples: local JSONL or TSV files, or a TFDS data set.

Local files are PATH/train.jsonl and PATH/test.jsonl, or PATH_train.jsonl and
PATH_test.jsonl, gzipped or not; .json files hold JSON lines, too, as CLUE's.
"dev" or "validation" stands in for "test", also where the labels of the test
split are secret (GLUE, SuperGLUE, CLUE).
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from absl import logging

from lm_jax.examples import files, tables
from lm_jax.examples.files import DEV as DEV
from lm_jax.examples.files import TEST as TEST
from lm_jax.examples.files import TRAIN as TRAIN
from lm_jax.examples.files import Record as Record
from lm_jax.examples.forms import Example as Example
from lm_jax.support.errors import UsageError, short

SUFFIXES = (".jsonl", ".tsv", ".json")
# Values that stand for a secret label.
_SECRET = (None, "", -1, "-1")


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
  left_out: labels of records that are no examples, such as "-" where the
    annotators did not agree.
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
  left_out: tuple[str | int, ...] = ()

  def name_of(self, value: Any) -> str:
    """Returns the label that a value stands for: by its name or its number.

    Raises:
      UsageError: there is no such label.
    """
    text = str(value)
    if not self.labels:
      return text
    text = self.spellings.get(text, text)
    if text in self.labels:
      return text
    if not isinstance(value, bool) and text.isdecimal():
      number = int(text[:9])
      if number < len(self.labels):
        return self.labels[number]
    valid = ", ".join(f"{i} {name}" for i, name in enumerate(self.labels))
    raise UsageError(f"label {short(value)}: unknown; valid: {valid}")

  def example(self, record: Record, name: str) -> Example:
    """Makes an example of a record.

    Raises:
      UsageError: a field is missing or is no text, or the label is unknown.
    """
    if self.prepare is not None:
      try:
        record = self.prepare(record)
      except KeyError as error:
        files.first_field(record, (str(error.args[0]),))
        raise
      except ValueError as error:
        raise UsageError(error) from None
    fields = {}
    for field, names in self.fields.items():
      value = files.first_field(record, names)
      if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(f"field {field}={short(value)}: must be text")
      fields[field] = str(value)
    label = self.name_of(files.first_field(record, self.label))
    return Example(name, fields, label)


def from_files(form: Form, place: str, flag: str, split: str) -> list[Example]:
  """Reads the examples of a split from local files.

  Args:
    form: of the examples.
    place, flag, split: see `file_of`.

  Returns:
    All examples, in the order of the file; [] if there is no file.

  Raises:
    UsageError: there is no file for testing, or a line is not valid (with its
      number).
  """
  path = file_of(place, flag, split, form)
  return from_path(form, path, empty=split != TEST) if path else []


def file_of(
  place: str, flag: str, split: str, form: Form | None = None
) -> pathlib.Path | None:
  """Finds the file of a split; see `files.of_split`.

  form: of the examples; with it, a test split without labels is ignored if
    another split can replace it.
  """
  if form is None:
    return files.of_split(place, flag, split, SUFFIXES)
  has_label = functools.partial(_has_label, form)
  return files.of_split(place, flag, split, SUFFIXES, form.names, has_label)


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
  examples = _made(form, _records(form, path), str(path))
  if not examples and not empty:
    raise UsageError(f"{path}: is empty")
  return examples


def _records(form: Form, path: pathlib.Path) -> files.Source:
  """Yields the records of a file, named by their line numbers."""
  if files.has_suffix(path, ".tsv"):
    names = [*form.label, *(x for each in form.fields.values() for x in each)]
    return tables.records(path, form.columns, names)
  return files.records(path, ids=False)


def from_tfds(
  form: Form, flag: str, split: str, name: str = ""
) -> list[Example]:
  """Reads a split of the TFDS data set, which is prepared if needed.

  name: of TFDS's split, if it is not the one that `form` has for `split`.

  Raises:
    UsageError: it is missing and can't be prepared; see also Form.example.
  """
  name = name or form.splits.get(split, "")
  if not name:
    return []
  if not form.tfds:
    raise UsageError(f"{flag}: TFDS has it not; name its files by --task_data")
  source = files.from_tfds(form.tfds, name, flag)
  return _made(form, source, f"{form.tfds}, {name}")


def _made(form: Form, source: files.Source, what: str) -> list[Example]:
  """Makes examples of records; counts those that the form leaves out.

  what: names the file or data set.
  """
  count = 0

  def kept() -> files.Source:
    nonlocal count
    for where, name, record in source:
      label = next((record[x] for x in form.label if x in record), None)
      if label in form.left_out:
        count += 1
      else:
        yield where, name, record

  examples = list(files.made(kept(), form.example))
  if count:
    logging.warning(
      "%s: %d records have no label that the annotators agreed on; left out",
      *(what, count),
    )
  return examples
