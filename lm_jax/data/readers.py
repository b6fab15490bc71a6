"""Reads batches ahead, in threads or in separate processes.

The processes keep no state: each is asked for the batches of some steps.
`python -m lm_jax.data.readers` runs one of them; it imports no jax.
"""

from __future__ import annotations

import contextlib
import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from lm_jax.data import pack
from lm_jax.data.source import Source
from lm_jax.data.table import Table
from lm_jax.support.worker_process import WorkerDied, WorkerPool, serve


class _Steps:
  """The batches of a run as a random-access source, for grain."""

  def __init__(self, read: Callable[[int], Any]):
    self._read = read

  def __len__(self) -> int:
    return 2**62  # Training goes on for as long as its budget does.

  def __getitem__(self, step: int) -> Any:
    return self._read(int(step))


def ahead(read: Callable[[int], Any], start: int, threads: int = 2) -> Any:
  """Iterates over `read(step)` for the steps from `start` on, read ahead.

  Close it with its `close()`.
  """
  import grain

  steps = grain.MapDataset.source(_Steps(read))[start:]
  options = grain.ReadOptions(
    num_threads=threads, prefetch_buffer_size=2 * threads
  )
  return iter(steps.to_iter_dataset(options))


class InProcesses:
  """Batches from several reader processes; like `ahead`.

  Raises:
    WorkerDied: by `next`, as soon as one of the processes is gone.
  """

  def __init__(
    self,
    source: Source,
    shape: tuple[int, int],
    arguments: dict[str, int],
    workers: int,
    start: int,
    finish: Callable[[np.ndarray], Any],
  ):
    """Starts the processes.

    Args:
      source: the rows they read.
      shape: (B, L) of a process's part of a batch.
      arguments: of `Source.batch`, except the step.
      workers: the number of processes.
      start: the first step.
      finish: turns int32 [4, B, L] into what the iterator yields.
    """
    setup = {
      "folders": [str(table.folder) for table in source.tables],
      "weights": source.weights,
      "arguments": arguments,
    }
    self._workers = WorkerPool(
      "lm_jax.data.readers", "a reader process", setup, workers
    )

    def read(step: int) -> Any:
      fields = np.frombuffer(self._workers.ask(step), np.int32)
      return finish(fields.reshape(pack.FIELDS, *shape))

    self._batches = ahead(read, start, threads=workers)

  @property
  def pids(self) -> list[int]:
    """Ids of the reader processes."""
    return self._workers.pids

  def __iter__(self) -> Iterator[Any]:
    return self

  def __next__(self) -> Any:
    # What was read ahead would hide a death for a while.
    self._workers.check()
    try:
      return next(self._batches)
    except WorkerDied as error:  # of whoever met it first
      # Grain adds a note about its own frames, which is printed after it.
      raise WorkerDied(*error.args) from None

  def close(self) -> None:
    """Ends the processes."""
    # First of all, so that no thread waits for one.
    with contextlib.closing(self._batches):
      self._workers.close()


def _answerer(setup: Any) -> Callable[[Any], bytes]:
  tables = [Table(pathlib.Path(folder)) for folder in setup["folders"]]
  source = Source(tables, setup["weights"])
  batch = functools.partial(source.batch, **setup["arguments"])
  return lambda step: batch(step=step).tobytes()


if __name__ == "__main__":
  serve(_answerer)
