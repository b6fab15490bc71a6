"""The interface of what a run reads: rows of a corpus, or of a task."""

from __future__ import annotations

from typing import Any, Protocol

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.types import Rows, Specials


class RowSource(Protocol):
  """Rows of one length: `data.rows.Dataset`, or `finetuning.dataset.Examples`.

  corpus: what they are made of; it and the rows have fingerprints.
  words: names what cut the words of writings that need it; "" in English.
  """

  corpus: Any
  tokenizer: Tokenizer
  specials: Specials
  vocabulary_size: int
  length: int
  fingerprint: str
  words: str

  def rows(self, split: str) -> int:
    """Returns the number of rows of a split (of "train", of an epoch)."""

  def batch(self, seed: int, step: int, batch_size: int) -> Rows:
    """Returns the training batch of a step: a pure function of the arguments.

    An epoch reads everything once, in an order of its own; a batch may hold the
    end of one epoch and the start of the next.

    Returns:
      Rows of numpy int32 [batch_size, length].

    Raises:
      UsageError: there are fewer rows than `batch_size`.
    """

  def batches(
    self,
    seed: int,
    batch_size: int,
    start: int = 0,
    process: int = 0,
    processes: int = 1,
    workers: int = 0,
  ) -> Any:
    """Iterates over the batches from step `start` on, without end.

    They are read ahead. Each of several processes gets its block of the rows of
    every batch, batch_size / processes rows. The stream does not depend on
    `workers`.

    Args:
      seed, batch_size, start: of the whole batches.
      process, processes: index of this process, and number of processes.
      workers: number of reader processes; 0: threads.

    Returns:
      An iterator of Rows; close it with its `close()`. Where a reader process
      has died, its `next` raises `worker_process.WorkerDied`.

    Raises:
      UsageError: there are fewer rows than `batch_size`, or the processes do
        not divide it.
    """

  def fixed(
    self, split: str, batch_size: int, limit_rows: int | None = None
  ) -> list[Rows]:
    """Returns the rows of a split in order; padding fills the last batch.

    Raises:
      UsageError: the split has no rows.
    """
