"""A task's examples as batches of rows by step, like a corpus's."""

from __future__ import annotations

import bisect
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from lm_jax.config import Config, build, with_packing
from lm_jax.data import order, readers
from lm_jax.data.corpus import Corpus, Document
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.finetuning import packing, splits
from lm_jax.finetuning.heads.base import Encoded, Kind
from lm_jax.finetuning.splits import find_task as find_task
from lm_jax.storage.digest import sha256
from lm_jax.support import cache, registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import SupervisedTask
from lm_jax.types import Rows

KINDS = "lm_jax.finetuning.heads"
# The number goes up when other rows are made of the same examples.
FORMAT = "examples 1"


class Source(NamedTuple):
  """The examples' source, which is part of a run's identity."""

  name: str
  fingerprint: str


def find_kind(objective: str) -> Kind:
  """Finds the Kind of a supervised objective."""
  return registry.find(KINDS, objective, Kind, "--objective")()


class Examples:
  """A RowSource of a task's examples.

  corpus: what they are made of.  task, kind: of the examples.
  cut: of each split, examples that lost tokens.
  """

  def __init__(
    self,
    corpus: Source,
    task: SupervisedTask,
    kind: Kind,
    tokenizer: Tokenizer,
    encoded: dict[str, Encoded],
    examples: dict[str, Any],
    shape: packing.Shape,
  ):
    self.corpus, self.task, self.kind = corpus, task, kind
    self.tokenizer = tokenizer
    self.specials = tokenizer.specials
    self.vocabulary_size = tokenizer.vocabulary_size
    self.length = shape.length
    self.words = ""
    self.fingerprint = cache.key(
      *(FORMAT, corpus.fingerprint, tokenizer.fingerprint),
      *shape,
    )
    self.examples = examples
    self.cut = {split: one.cut for split, one in encoded.items()}
    self._shape = shape
    self._items = {split: one.items for split, one in encoded.items()}
    self._sizes = {
      split: packing.sizes(items) for split, items in self._items.items()
    }
    self._epoch = functools.lru_cache(maxsize=3)(self._pack)
    # By seed, at which row of all its epochs each one ends.
    self._ends: dict[int, list[int]] = {}

  def _pack(self, seed: int, epoch: int) -> list[np.ndarray]:
    count = len(self._items[splits.TRAIN])
    order_N = order.Permutation([seed, epoch], count)(np.arange(count))
    return packing.pack(self._sizes[splits.TRAIN], order_N, self._shape)

  def items(self, split: str) -> int:
    """Items of a split: its examples, or windows of long ones."""
    return len(self._items[split])

  def rows(self, split: str, seed: int = 0) -> int:
    """Rows of a split; of the training split, in its first epoch."""
    if split == splits.TRAIN:
      return self._end(seed, 0)
    return len(self._held_out(split))

  def steps(self, seed: int, epochs: float, batch_size: int) -> int:
    """Counts the steps of `epochs` epochs, of which the last may be partial."""
    whole = int(epochs)
    rows = self._end(seed, whole - 1) if whole else 0
    if epochs > whole:
      last = self._end(seed, whole) - rows
      rows += int(np.ceil((epochs - whole) * last))
    return max(1, -(-rows // batch_size))

  def _end(self, seed: int, epoch: int) -> int:
    """The number of rows up to the end of an epoch."""
    ends = self._ends.setdefault(seed, [])
    while len(ends) <= epoch:
      before = ends[-1] if ends else 0
      ends.append(before + len(self._epoch(seed, len(ends))))
    return ends[epoch]

  def _row(self, seed: int, number: int) -> np.ndarray:
    """The items of a row of all epochs."""
    ends = self._ends.setdefault(seed, [])
    while not ends or ends[-1] <= number:
      self._end(seed, len(ends))
    epoch = bisect.bisect_right(ends, number)
    first = ends[epoch - 1] if epoch else 0
    return self._epoch(seed, epoch)[number - first]

  def batch(
    self,
    seed: int,
    step: int,
    batch_size: int,
    process: int = 0,
    processes: int = 1,
  ) -> Rows:
    """See RowSource.batch."""
    numbers = order.block(step, batch_size, process, processes)
    rows = [self._row(seed, number) for number in numbers]
    items = self._items[splits.TRAIN]
    return packing.lay(items, rows, self._shape, self.specials.pad)

  def batches(
    self,
    seed: int,
    batch_size: int,
    start: int = 0,
    process: int = 0,
    processes: int = 1,
    workers: int = 0,
  ) -> Any:
    """The batches from step `start` on, read ahead by one thread."""
    order.require_blocks(batch_size, processes)

    def read(step: int) -> Rows:
      return self.batch(seed, step, batch_size, process, processes)

    return readers.ahead(read, start, threads=1)

  def fixed(
    self, split: str, batch_size: int, limit_rows: int | None = None
  ) -> list[Rows]:
    """The rows of a split in their order, the last batch filled with padding.

    "validation" is the split that checkpoints are chosen by.
    """
    name = splits.DEV if split == "validation" else split
    rows = self._held_out(name)[:limit_rows]
    return [
      packing.lay(
        self._items[name],
        rows[first : first + batch_size],
        self._shape,
        self.specials.pad,
        batch_size,
      )
      for first in range(0, len(rows), batch_size)
    ]

  def _held_out(self, split: str) -> list[np.ndarray]:
    order_N = np.arange(len(self._items[split]))
    return packing.pack(self._sizes[split], order_N, self._shape)


class _Key(NamedTuple):
  """The parts of a configuration that examples and their rows depend on."""

  objective: Any
  task: str
  task_data: str
  train_examples: int
  length: int
  paired: bool
  data: DataOptions


def load(config: Config) -> Examples:
  """Loads and encodes the examples of a fine-tuning run; kept in memory.

  The runs of a process that read the same share them.

  Raises:
    UsageError: what is wrong with the task, its data or its tokens.
  """
  built = build(config)
  return _load(
    _Key(
      built.objective,
      *(config.task, config.task_data, config.train_examples, config.length),
      built.trunk.architecture == "encoder_decoder",
      with_packing(config).data,
    )
  )


@functools.lru_cache(maxsize=4)
def _load(key: _Key) -> Examples:
  task = find_task(key.task)
  kind = find_kind(key.objective.name)
  examples = splits.load(key.task, key.task_data, key.train_examples)
  options = dataclasses.asdict(key.objective) | {"paired": key.paired}
  tokenizer = load_tokenizer(
    key.data, _corpus(task, kind, examples[splits.TRAIN])
  )
  most = packing.most_examples(key.length, key.data.packing)
  shape = packing.Shape(key.length, options.get("answer_length", 0), most)
  encoded = {}
  # What is wrong with a test split shows before anything is trained.
  test = task.examples(splits.TEST, key.task_data)
  examples = {**examples, splits.TEST: test}
  task.bleu = options.get("bleu", "")
  for split in (splits.DEV, splits.TEST):
    task.require(examples[split])
  for split in examples:
    encoded[split] = kind.encode(
      task, examples[split], tokenizer, key.length, options
    )
  if not encoded[splits.TRAIN].items:
    raise UsageError(
      f"--task={task.name}: no example can be learnt of: no answer stands where"
      " it is said to"
    )
  items = [
    (i.example, i.tokens.tolist(), i.label.tolist(), i.answer.tolist())
    for split in (splits.TRAIN, splits.DEV)
    for i in encoded[split].items
  ]
  corpus = Source(task.name, sha256(items))
  return Examples(corpus, task, kind, tokenizer, encoded, examples, shape)


def _corpus(task: SupervisedTask, kind: Kind, train: Sequence[Any]) -> Corpus:
  """A task's texts, to train a tokenizer on where no model brings one."""

  def read(split: str) -> Iterator[Document]:
    return (Document(text, {}) for text in kind.texts(task, train))

  texts = list(kind.texts(task, train))
  return Corpus(task.name, sha256(texts), read)
