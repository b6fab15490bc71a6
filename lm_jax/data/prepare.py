"""Turns a corpus into a table of rows: streamed, parallel, bounded memory.

The documents of a split are cut into chunks of fixed size. Processes tokenize
and pack the chunks independently, and their rows are appended in the order of
the corpus; so the table is the same for any number of processes. Texts and rows
go through files, so that no process holds more than a group of texts and its
rows. A corpus of one chunk is not worth processes; it uses the tokenizer's
threads.
"""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import itertools
import json
import pathlib
import shutil
from collections.abc import Generator, Iterable, Iterator
from typing import Any

from lm_jax.data import chunks, table, table_manifest
from lm_jax.data.corpus import SPLITS, Corpus, Document
from lm_jax.data.duplicates import Duplicates
from lm_jax.data.encoding import Encoder
from lm_jax.support import machine
from lm_jax.support.worker_process import WorkerPool

CHUNK_BYTES = 16 * 2**20
# More of them would not fit in a gigabyte.
MOST_PROCESSES = 12

# The folder of a chunk, and its texts.
Job = tuple[pathlib.Path, list[chunks.Text]]
Done = tuple[pathlib.Path, chunks.ChunkCounts]


def processes() -> int:
  """Number of processes that tokenize a large corpus: one per core."""
  return min(machine.cores(), MOST_PROCESSES)


class _Reading:
  """Chunks of texts of a split; counts documents and bytes as they pass."""

  def __init__(self, documents: Iterable[Document], folder: pathlib.Path):
    self.documents = self.bytes = 0
    self.duplicates = Duplicates(folder)
    self._source = documents
    self._name: Any = None
    self._ended = True

  def __iter__(self) -> Iterator[list[chunks.Text]]:
    chunk: list[chunks.Text] = []
    first = self.bytes
    for document in self._source:
      chunk.append(self._note(document))
      if self.bytes - first >= CHUNK_BYTES:
        yield chunk
        chunk, first = [], self.bytes
    if chunk:
      yield chunk

  def _note(self, document: Document) -> chunks.Text:
    # Of a long document several parts follow one another; of one that goes on
    # in another split there is one, and then comes another name.
    name = document.metadata.get("name")
    begins = self._ended or name != self._name
    self._name, self._ended = name, document.ends
    data = document.text.encode()
    self.documents += begins
    self.bytes += len(data)
    self.duplicates.add(data, begins)
    return chunks.Text(document.text, begins, document.ends, self.documents)


class _Sum:
  """Adds up the counts of a split's chunks, in their order."""

  def __init__(self) -> None:
    self.rows = self.positions = self.tokens = self.longest = 0
    self._open = 0  # tokens of the last document so far

  def add(self, chunk: chunks.ChunkCounts) -> None:
    self.rows += chunk.rows
    self.positions += chunk.filled
    self.tokens += chunk.tokens
    first = chunk.first + (0 if chunk.begins else self._open)
    self.longest = max(self.longest, first, chunk.longest)
    self._open = first if chunk.whole else chunk.last


def _in_processes(
  jobs: Iterable[Job], recipe: chunks.Recipe, count: int
) -> Generator[Done, None, None]:
  """Makes rows of several chunks at once, in `count` processes."""
  workers = WorkerPool(
    "lm_jax.data.chunks", "a process that tokenizes", recipe, count
  )

  def ask(folder: pathlib.Path) -> chunks.ChunkCounts:
    return chunks.ChunkCounts(*json.loads(workers.ask(str(folder))))

  pending: collections.deque[Any] = collections.deque()
  with (
    concurrent.futures.ThreadPoolExecutor(count) as threads,
    # Before the threads are waited for, so that none goes on asking.
    contextlib.closing(workers),
  ):
    for folder, texts in jobs:
      with (folder / "texts").open("wb") as file:
        chunks.write(file, texts)
      pending.append((folder, threads.submit(ask, folder)))
      # A chunk lies ready for whoever is done first.
      if len(pending) > count:
        done, future = pending.popleft()
        yield done, future.result()
    while pending:
      done, future = pending.popleft()
      yield done, future.result()


def _rows(
  jobs: Iterator[Job], recipe: chunks.Recipe, encoder: Encoder
) -> Generator[Done, None, None]:
  """Makes the rows of each chunk, in order, in this process or in several."""
  first = list(itertools.islice(jobs, 2))
  jobs = itertools.chain(first, jobs)
  splits = {_split(folder) for folder, _ in first}
  count = processes()
  # The second chunk is of the same split if the first one was full.
  if len(first) < 2 or len(splits) > 1 or count == 1:
    return (  # on the threads of the tokenizer
      (folder, chunks.make_rows(texts, encoder, recipe, folder))
      for folder, texts in jobs
    )
  return _in_processes(jobs, recipe, count)


def _split(folder: pathlib.Path) -> str:
  return folder.name.partition("-")[0]


def prepare(
  folder: pathlib.Path,
  corpus: Corpus,
  recipe: chunks.Recipe,
  encoder: Encoder,
) -> None:
  """Writes a corpus's table into an empty folder, by the recipe's encoder."""
  import tqdm

  work = folder / "work"
  work.mkdir()
  readings = {}
  for split in SPLITS:
    bar = tqdm.tqdm(
      corpus.documents(split),
      f"tokenizing {corpus.name} ({split})",
      unit=" documents",
      leave=False,
      disable=None,  # Silent off a terminal.
    )
    readings[split] = _Reading(bar, work / f"hashes-{split}")

  def jobs() -> Iterator[Job]:
    for split, reading in readings.items():
      for number, texts in enumerate(reading):
        path = work / f"{split}-{number}"
        path.mkdir()
        yield path, texts

  writer = table.Writer(folder, recipe.length, recipe.dtype)
  sums = {split: _Sum() for split in SPLITS}
  with contextlib.closing(_rows(jobs(), recipe, encoder)) as done:
    for path, counts in done:
      split = _split(path)
      sums[split].add(counts)
      writer.append(split, path)
      shutil.rmtree(path)
  writer.finish(
    {
      split: table_manifest.Split(
        rows=sums[split].rows,
        positions=sums[split].positions,
        documents=reading.documents,
        duplicates=reading.duplicates.count(),
        tokens=sums[split].tokens,
        bytes=reading.bytes,
        longest=sums[split].longest,
      )
      for split, reading in readings.items()
    }
  )
  work.rmdir()
