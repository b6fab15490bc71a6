"""Shares code of tasks with examples in local files of their own forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple

from lm_jax.examples import files
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base


class Names(NamedTuple):
  """Further names of local files, by split."""

  train: tuple[str, ...] = ()
  dev: tuple[str, ...] = ()
  test: tuple[str, ...] = ()


# The files of SemEval-2010 task 8, as in its archive.
SEMEVAL = Names(train=("TRAIN_FILE",), test=("TEST_FILE_FULL",))


class Splits(NamedTuple):
  """Names of TFDS's splits, by lm_jax's names; "" for none."""

  train: str = "train"
  dev: str = "validation"
  test: str = "test"


class FileTask(base.SupervisedTask):
  """A task that reads local files of its own forms, or TFDS."""

  names: ClassVar[Names] = Names()
  # The split that a data set of one file belongs to; "": it is cut in three.
  whole: ClassVar[str] = ""
  tfds: ClassVar[str] = ""
  splits: ClassVar[Splits] = Splits()
  # Methods, if there are any: a key of an example, such that neighbours with
  # equal keys are never in two splits; and whether a file has right answers.
  group: Any = None
  has_answers: Any = None

  def readers(self) -> Mapping[str, files.Reader]:
    """Returns readers of local files, by suffix; by default of JSONL."""
    return {".jsonl": lambda path: self.made(files.records(path))}

  def made(self, source: files.Source) -> Iterable[Any]:
    """Makes examples of records, of JSONL and of TFDS."""
    raise NotImplementedError

  def examples(self, split: str, place: str = "") -> list[Any]:
    if place:
      return files.read(
        *(place, f"--task_data={self.name}", split, self.readers()),
        *(self.names._asdict(), self.whole, self.group, self.has_answers),
      )
    flag = f"--task={self.name}"
    if not self.tfds:
      raise UsageError(
        f"{flag}: TFDS has it not; name its files by --task_data="
        f"{self.name}=PATH"
      )
    name = getattr(self.splits, split)
    if not name:
      return []
    return list(self.made(files.from_tfds(self.tfds, name, flag)))
