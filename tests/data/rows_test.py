import contextlib
import dataclasses
import itertools
import os
import shutil
import signal
import time

import numpy as np
import pytest

from lm_jax import specials
from lm_jax.data import (
  chunks,
  corpus,
  order,
  rows,
  tokenizer,
  train_tokenizer,
)
from lm_jax.data.options import DataOptions
from lm_jax.support import cache, worker_process
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT, ANSWER, PADDING


@pytest.fixture(scope="module")
def options(tmp_path_factory):
  folder = tmp_path_factory.mktemp("data")
  rng = np.random.default_rng(0)
  words = ["alpha", "beta,", "gamma.", "Delta", "épsilon"]
  for i in range(40):
    text = " ".join(rng.choice(words, 20 + i))
    (folder / f"{i:02}.txt").write_text(text)
  return DataOptions(
    corpus=str(folder),
    tokenizer="bytes",
    cache=str(folder / "cache"),
    sentinels=3,
  )


@pytest.fixture(scope="module")
def dataset(options):
  return rows.load(options, 32)


def _same(a, b):
  for x, y in zip(_arrays(a), _arrays(b), strict=True):
    np.testing.assert_array_equal(x, y)


def _arrays(batch):
  assert batch.label is None
  found = [
    batch.tokens_BxL,
    batch.segment_BxL,
    batch.word_BxL,
    batch.sentence_BxL,
    batch.part_BxL,
  ]
  assert all(isinstance(x, np.ndarray) and x.dtype == np.int32 for x in found)
  return found


def test_an_epoch_reads_every_row_once_and_the_next_in_another_order(dataset):
  count = dataset.rows("train")
  size = 7
  assert count % size  # So that a batch holds parts of two epochs.
  batches = [dataset.batch(1, k, size) for k in range(2 * count // size + 1)]
  tokens = np.concatenate([b.tokens_BxL for b in batches])
  file_order = np.concatenate(
    [b.tokens_BxL for b in dataset.fixed("train", count)]
  )
  first, second = tokens[:count], tokens[count : 2 * count]
  assert sorted(first.tolist()) == sorted(file_order.tolist())
  assert sorted(second.tolist()) == sorted(file_order.tolist())
  assert (first != second).any()
  assert (first != file_order).any()
  other = dataset.batch(2, 0, count).tokens_BxL
  assert (other != first).any()


def test_a_batch_is_a_function_of_seed_and_step(options, dataset):
  again = rows.load(options, 32)
  assert again.fingerprint == dataset.fingerprint
  for step in (5, 10**9, 5):
    _same(again.batch(3, step, 8), dataset.batch(3, step, 8))
  # Batch size cuts the same stream elsewhere.
  whole = dataset.batch(3, 4, 8).tokens_BxL
  halves = [dataset.batch(3, 8 + i, 4).tokens_BxL for i in range(2)]
  np.testing.assert_array_equal(np.concatenate(halves), whole)


def test_read_ahead_gives_the_same_batches(dataset):
  for start in (0, 123_456_789):
    iterator = dataset.batches(3, 4, start)
    found = list(itertools.islice(iterator, 3))
    iterator.close()
    for k, batch in enumerate(found):
      _same(batch, dataset.batch(3, start + k, 4))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("processes", [1, 2, 4])
def test_processes_read_the_blocks_of_a_batch(dataset, processes, workers):
  size, start = 8, 1_000_000
  for process in range(processes):
    iterator = dataset.batches(3, size, start, process, processes, workers)
    with contextlib.closing(iterator):
      found = list(itertools.islice(iterator, 3))
    block = slice(
      process * size // processes, (process + 1) * size // processes
    )
    for k, batch in enumerate(found):
      whole = dataset.batch(3, start + k, size)
      for ours, wanted in zip(_arrays(batch), _arrays(whole), strict=True):
        np.testing.assert_array_equal(ours, wanted[block])


def test_processes_have_to_divide_a_batch(dataset):
  with pytest.raises(UsageError, match="--batch_size=8: must be a multiple of"):
    dataset.batches(0, 8, process=0, processes=3)


def _read_for(iterator, seconds):
  deadline = time.monotonic() + seconds
  while time.monotonic() < deadline:
    next(iterator)


@pytest.mark.parametrize("met_by", ["check", "read"])
def test_a_killed_reader_is_an_error_at_once(dataset, met_by, monkeypatch):
  with contextlib.closing(dataset.batches(3, 4, workers=2)) as iterator:
    if met_by == "read":
      monkeypatch.setattr(iterator._workers, "check", lambda: None)
    for _ in range(5):
      next(iterator)
    (victim, other) = iterator.pids
    os.kill(victim, signal.SIGKILL)
    os.kill(other, signal.SIGTERM)  # Not heard: the parent decides.
    message = rf"a reader process, {victim}, was killed by SIGKILL"
    with pytest.raises(worker_process.WorkerDied, match=message) as met:
      _read_for(iterator, 5)
    # Nothing is printed behind the message.
    assert not getattr(met.value, "__notes__", ())
    assert met.value.__cause__ is None
    os.kill(other, 0)
  with pytest.raises(ProcessLookupError):
    os.kill(other, 0)


def test_fixed_batches_are_in_file_order_and_padded(dataset):
  count = dataset.rows("test")
  batches = dataset.fixed("test", 4)
  assert len(batches) == -(-count // 4)
  assert all(b.tokens_BxL.shape == (4, 32) for b in batches)
  part = np.concatenate([b.part_BxL for b in batches])
  segment = np.concatenate([b.segment_BxL for b in batches])
  tokens = np.concatenate([b.tokens_BxL for b in batches])
  np.testing.assert_array_equal(part, np.where(segment > 0, ANSWER, PADDING))
  assert (part[count:] == PADDING).all()
  assert (tokens[part == PADDING] == dataset.specials.pad).all()
  assert len(dataset.fixed("test", 4, limit_rows=5)) == 2
  assert (dataset.fixed("test", 4, limit_rows=5)[1].part_BxL[1:] < 0).all()


def test_the_text_comes_back_and_its_bytes_are_counted(dataset):
  for split in ("train", "validation", "test"):
    documents = "".join(d.text for d in dataset.corpus.documents(split))
    (batch,) = dataset.fixed(split, dataset.rows(split))
    assert dataset.tokenizer.decode(batch.tokens_BxL.ravel()) == documents
    per_row = specials.is_text(batch.tokens_BxL, dataset.specials).sum(1)
    np.testing.assert_array_equal(dataset.bytes(split), per_row)


def test_long_documents_are_tokenized_in_pieces(options, tmp_path, monkeypatch):
  monkeypatch.setattr(chunks, "PIECE_CHARACTERS", 50)
  monkeypatch.setattr(chunks, "GROUP_CHARACTERS", 120)
  other = dataclasses.replace(options, cache=str(tmp_path))
  dataset = rows.load(other, 32)
  documents = list(dataset.corpus.documents("train"))
  (batch,) = dataset.fixed("train", dataset.rows("train"))
  text = "".join(d.text for d in documents)
  assert dataset.tokenizer.decode(batch.tokens_BxL.ravel()) == text
  assert (batch.tokens_BxL == dataset.specials.end).sum() == len(documents)


def test_a_warm_load_reads_only_the_cache(options, dataset, monkeypatch):
  def fail(*args, **kwargs):
    raise AssertionError

  for module, name in (
    (rows.prepare, "prepare"),
    (train_tokenizer, "train"),
  ):
    monkeypatch.setattr(module, name, fail)
  monkeypatch.setattr(corpus.Corpus, "documents", None)
  assert rows.load(options, 32).fingerprint == dataset.fingerprint


def test_whatever_changes_the_rows_changes_the_fingerprint(options, dataset):
  found = {dataset.fingerprint, rows.load(options, 24).fingerprint}
  for change in ({"packing": "document"}, {"sentinels": 4}):
    other = dataclasses.replace(options, **change)
    found.add(rows.load(other, 32).fingerprint)
  assert len(found) == 4


@pytest.mark.parametrize(
  ("change", "length", "message"),
  [
    ({}, 15, "--length=15: must be 16 or more"),
    ({"packing": "pack"}, 32, "packing=pack: must be one of packed, document"),
    ({"errors": "ignore"}, 32, "errors=ignore: must be one of strict, replace"),
    ({"sentinels": -1}, 32, "sentinels=-1: must be at least 0"),
    ({"workers": -1}, 32, "workers=-1: must be at least 0"),
    ({"temperature": 0.0}, 32, "temperature=0.0: must be above 0"),
  ],
)
def test_bad_options_are_named(options, change, length, message):
  with pytest.raises(UsageError, match=message):
    rows.load(dataclasses.replace(options, **change), length)


def test_too_few_rows_are_named(dataset):
  with pytest.raises(UsageError, match=r"--batch_size=10000: .* has only \d+"):
    dataset.batch(0, 0, 10_000)
  with pytest.raises(UsageError, match="--batch_size=10000"):
    dataset.batches(0, 10_000)


def test_padded_texts(dataset):
  texts = ["abc", "", "x" * 15, "x" * 16]
  batch, cut = rows.pad_texts(dataset.tokenizer, texts, 16)
  _arrays(batch)
  assert cut == 1
  assert (batch.tokens_BxL[:, 0] == dataset.specials.boundary).all()
  np.testing.assert_array_equal(
    (batch.part_BxL == ANSWER).sum(1), [4, 1, 16, 16]
  )
  decoded = [dataset.tokenizer.decode(row) for row in batch.tokens_BxL]
  assert decoded == ["abc", "", "x" * 15, "x" * 15]
  assert [rows.bucket(x) for x in ([], [1], [8], [3, 9])] == [8, 8, 8, 16]


def test_the_order_is_what_it_was():
  # A run must go on with the order that it began with, whatever the versions.
  found = order.Permutation([3, 1], 8)(np.arange(8))
  assert found.tolist() == [0, 6, 2, 1, 3, 7, 4, 5]
  assert cache.key("a", 1) != cache.key("a", "1")


def _native(dataset, folder, **changes):
  """The same tokenizer with other special tokens around a text."""
  found = dataclasses.replace(dataset.specials, **changes)
  path = folder / "tokenizer.json"
  shutil.copyfile(dataset.tokenizer.path, path)
  path.with_name("specials.json").write_text(specials.to_json(found))
  return path


def test_padded_texts_with_other_special_tokens_around(dataset, tmp_path):
  path = _native(dataset, tmp_path, before=(), after=(3, 4))
  native = tokenizer.Tokenizer(path)
  batch, cut = rows.pad_texts(native, ["ab c", "", "x" * 14, "x" * 15], 16)
  _arrays(batch)
  assert cut == 1
  used = batch.part_BxL == ANSWER
  assert used.sum(1).tolist() == [6, 2, 16, 16]
  for b, size in enumerate(used.sum(1)):
    assert batch.tokens_BxL[b, size - 2 : size].tolist() == [3, 4]
  decoded = [native.decode(row) for row in batch.tokens_BxL]
  assert decoded == ["ab c", "", "x" * 14, "x" * 14]
  assert batch.word_BxL[0, :6].tolist() == [0, 0, 1, 1, 2, 3]
  assert batch.word_BxL[1, :2].tolist() == [0, 1]
  assert not batch.sentence_BxL.any()
  with pytest.raises(UsageError, match="--length=1: 2 special tokens"):
    rows.pad_texts(native, ["a"], 1)


def test_rows_of_a_tokenizer_without_an_end(options, dataset, tmp_path):
  path = _native(dataset, tmp_path, end=ABSENT, before=())
  other = dataclasses.replace(options, tokenizer=str(path))
  found = rows.load(other, 32)
  (batch,) = found.fixed("test", found.rows("test"))
  text = "".join(d.text for d in found.corpus.documents("test"))
  assert found.tokenizer.decode(batch.tokens_BxL.ravel()) == text
  assert (batch.tokens_BxL[:, 0] == dataset.specials.boundary).all()
  assert not (batch.tokens_BxL == dataset.specials.end).any()
  assert found.fingerprint != dataset.fingerprint


def test_rows_need_a_boundary_token(options, dataset, tmp_path):
  path = _native(dataset, tmp_path, boundary=ABSENT)
  other = dataclasses.replace(options, tokenizer=str(path))
  with pytest.raises(UsageError, match=r"tokenizer=.*: has no boundary token"):
    rows.load(other, 32)
