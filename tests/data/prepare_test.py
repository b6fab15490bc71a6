import collections
import dataclasses
import os
import signal
import threading

import numpy as np
import pytest

from lm_jax.data import (
  corpus,
  files,
  open_tokenizer,
  pack,
  prepare,
  rows,
  table,
  table_manifest,
)
from lm_jax.data.options import DataOptions
from lm_jax.support import worker_process

LENGTH = 32


@pytest.fixture(scope="module")
def options(tmp_path_factory):
  """60 documents of up to 3 kB, three of them twice, two in foreign letters."""
  folder = tmp_path_factory.mktemp("corpus")
  rng = np.random.default_rng(0)
  words = ["alpha", "beta,", "gamma.", "Delta", "épsilon", "日本。"]
  texts = [
    " ".join(rng.choice(words, size)) for size in rng.integers(1, 400, 57)
  ]
  for i, text in enumerate([*texts, *texts[:3]]):
    (folder / f"{i:02}.txt").write_text(text)
  cache = tmp_path_factory.mktemp("cache")
  return DataOptions(
    corpus=str(folder), tokenizer="bytes", cache=str(cache), sentinels=3
  )


def _prepared(options, folder, monkeypatch, processes, chunk=4000):
  monkeypatch.setattr(prepare, "processes", lambda: processes)
  monkeypatch.setattr(prepare, "CHUNK_BYTES", chunk)
  opened = corpus.open_corpus(options)
  tokenizer = open_tokenizer.load_tokenizer(options, opened)
  recipe = rows._recipe(tokenizer, LENGTH, options.packing)
  folder.mkdir()
  prepare.prepare(folder, opened, recipe, tokenizer.encoder)
  return folder


def _contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("packing", ["packed", "document"])
def test_any_number_of_processes_makes_the_same(
  options, tmp_path, monkeypatch, packing
):
  monkeypatch.setattr(table, "SHARD_BYTES", 20_000)
  options = dataclasses.replace(options, packing=packing)
  one, two, five = (
    _contents(_prepared(options, tmp_path / str(n), monkeypatch, n))
    for n in (1, 2, 5)
  )
  assert one == two == five
  shards = [name for name in one if name.startswith("train-")]
  assert len(shards) > 5 and "train-00003.rows" in shards
  assert all(len(one[name]) <= 20_000 for name in shards)


def test_a_table_of_many_chunks_and_shards_holds_the_corpus(
  options, tmp_path, monkeypatch
):
  monkeypatch.setattr(table, "SHARD_BYTES", 20_000)
  # So that documents go on from chunk to chunk.
  monkeypatch.setattr(files, "RECORD_CHARACTERS", 700)
  other = dataclasses.replace(options, cache=str(tmp_path / "cache"))
  folder = _prepared(other, tmp_path / "table", monkeypatch, 2, chunk=1500)
  opened = corpus.open_corpus(other)
  tokenizer = open_tokenizer.load_tokenizer(other, opened)
  found = table.Table(folder)
  for split in corpus.SPLITS:
    texts = collections.defaultdict(str)
    for document in opened.documents(split):
      texts[document.metadata["name"]] += document.text
    index = np.arange(found.rows(split))
    taken = found.read_rows(split, index)
    whole = tokenizer.decode(taken[pack.TOKENS].ravel().tolist())
    assert whole == "".join(texts.values())
    np.testing.assert_array_equal(
      found.read_rows(split, index[::-3]), taken[:, ::-3]
    )
    lengths = [len(text.encode()) for text in texts.values()]
    assert found.bytes(split).sum() == sum(lengths)
    # Of the tokenizer "bytes" each byte is a token.
    assert found.splits[split] == table_manifest.Split(
      rows=taken.shape[1],
      positions=int((taken[pack.SEGMENT] > 0).sum()),
      documents=len(texts),
      duplicates=len(texts) - len(set(texts.values())),
      tokens=sum(lengths),
      bytes=sum(lengths),
      longest=max(lengths),
    )
  assert sum(split.duplicates for split in found.splits.values()) == 3


def test_a_killed_process_ends_the_preparation(options, tmp_path, monkeypatch):
  pids = []
  real = worker_process.WorkerPool.__init__

  def make(self, *args):
    real(self, *args)
    pids.extend(self.pids)
    os.kill(pids[0], signal.SIGKILL)

  monkeypatch.setattr(worker_process.WorkerPool, "__init__", make)
  threads = threading.active_count()
  with pytest.raises(
    worker_process.WorkerDied, match=r"tokenizes, \d+, was killed"
  ):
    _prepared(options, tmp_path / "table", monkeypatch, 2)
  assert threading.active_count() == threads
  for pid in pids:
    with pytest.raises(ProcessLookupError):
      os.kill(pid, 0)


def test_a_full_disk_in_a_process_is_told_as_such(tmp_path):
  workers = worker_process.WorkerPool(
    "lm_jax.data.chunks", "a process", _recipe(), 1
  )
  try:
    with pytest.raises(FileNotFoundError, match="nowhere"):
      workers.ask(str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError):  # It goes on answering.
      workers.ask(str(tmp_path / "nowhere"))
    workers.check()
  finally:
    workers.close()


def _recipe():
  from lm_jax.data import chunks, train_tokenizer
  from lm_jax.types import Specials

  content = train_tokenizer.train("bytes", [], 400, Specials())
  return chunks.Recipe(
    content, [0], 32, "packed", pack.Marks(0, 2, 3), "uint16"
  )
