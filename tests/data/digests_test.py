"""What a disk has turned in the cache is told, and never trained on."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile

import numpy as np
import pytest

from lm_jax.data import corpus, rows
from lm_jax.support import cache
from lm_jax.support.errors import UsageError


@pytest.fixture(scope="module")
def filled(tiny, tmp_path_factory):
  """A cache that is not to be changed."""
  folder = tmp_path_factory.mktemp("filled")
  rows.load(tiny.data(cache=str(folder)), 32)
  return folder


@pytest.fixture
def options(tiny, filled, tmp_path):
  """Of a cache of its own, filled."""
  shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
  return tiny.data(cache=str(tmp_path))


def _flip(path, place=None):
  data = bytearray(path.read_bytes())
  data[len(data) // 2 if place is None else place] ^= 1
  path.write_bytes(data)


def _file(folder, pattern):
  (path,) = pathlib.Path(folder).glob(pattern)
  return path


def test_a_bit_of_a_row_that_trains(options, tmp_path):
  wanted = rows.load(options, 32).batch(0, 0, 16)
  _flip(_file(tmp_path, "rows/*/train-00000.rows"))
  dataset = rows.load(options, 32)
  message = (
    rf"{tmp_path}/rows/\w+: is damaged: row \d+ of train is not what was"
    " written; remove it, and it is made again"
  )
  with pytest.raises(UsageError, match=message):
    dataset.batch(0, 0, dataset.rows("train"))
  for workers in (0, 2):
    batches = dataset.batches(0, dataset.rows("train"), workers=workers)
    with (
      contextlib.closing(batches),
      pytest.raises(UsageError, match=message) as met,
    ):
      next(batches)
    assert "\n" not in str(met.value)
  for path in tmp_path.glob("rows/*/*"):
    path.unlink()
  _file(tmp_path, "rows/*[!k]").rmdir()
  again = rows.load(options, 32).batch(0, 0, 16)
  np.testing.assert_array_equal(again.tokens_BxL, wanted.tokens_BxL)


@pytest.mark.parametrize(
  ("name", "message"),
  [
    ("validation-00000.rows", "row [0-9]+ of validation is not what"),
    ("validation.checks", "row [0-9]+ of validation is not what"),
    ("validation.bytes", r"validation\.bytes is not what"),
  ],
)
def test_a_bit_of_what_measures(options, tmp_path, name, message):
  _flip(_file(tmp_path, f"rows/*/{name}"))
  dataset = rows.load(options, 32)
  read = (
    dataset.bytes if "bytes" in name else lambda split: dataset.fixed(split, 8)
  )
  with pytest.raises(UsageError, match=message):
    read("validation")


def test_rows_of_zeros_as_a_crash_leaves_them(options, tmp_path):
  for name in ("rows", "checks", "bytes"):
    path = _file(tmp_path, f"rows/*/test*.{name}")
    path.write_bytes(bytes(path.stat().st_size))
  with pytest.raises(UsageError, match="row 0 of test"):
    rows.load(options, 32).fixed("test", 8)


def test_another_digit_in_facts(options, tmp_path):
  path = _file(tmp_path, "rows/*/facts.json")
  found = json.loads(path.read_text())
  found["splits"]["train"]["tokens"] += 1
  path.write_text(json.dumps(found))
  with pytest.raises(UsageError, match=r"facts\.json is not what was written"):
    rows.load(options, 32)


def test_rows_of_an_earlier_version_are_read_unchecked(options, tmp_path):
  wanted = rows.load(options, 32)
  batch, sizes = wanted.batch(0, 3, 8), wanted.bytes("test")
  path = _file(tmp_path, "rows/*/facts.json")
  found = json.loads(path.read_text())
  del found["check"], found["checks"]
  path.write_text(json.dumps(found))
  for check in path.parent.glob("*.checks"):
    check.unlink()
  old = rows.load(options, 32)
  assert old.fingerprint == wanted.fingerprint
  again = old.batch(0, 3, 8)
  np.testing.assert_array_equal(again.tokens_BxL, batch.tokens_BxL)
  np.testing.assert_array_equal(old.bytes("test"), sizes)


@pytest.mark.parametrize("name", ["*-train*record*", "*-test*", "*info.json"])
def test_a_bit_of_the_documents(options, tmp_path, name):
  path = _file(tmp_path, f"tfds/*/*/*/{name}")
  _flip(path)
  opened = corpus.open_corpus(options)
  with pytest.raises(UsageError, match=rf"damaged: .*{path.name} is not what"):
    [list(opened.documents(split)) for split in corpus.SPLITS]
  _file(tmp_path, f"tfds/*/{cache.DIGESTS}").write_bytes(b"")
  with pytest.raises(UsageError, match="damaged: .*digests.json.*remove it"):
    list(opened.documents("train"))


def test_documents_of_an_earlier_version_have_checksums_of_their_own(
  options, tmp_path
):
  _file(tmp_path, f"tfds/*/{cache.DIGESTS}").unlink()
  opened = corpus.open_corpus(options)
  assert list(opened.documents("train"))
  path = _file(tmp_path, "tfds/*/*/*/*-train*record*")
  data = path.read_bytes()
  half = len(data) // 3
  path.write_bytes(data[:half] + bytes(len(data) - half))
  with pytest.raises(UsageError, match="is damaged, prepare it anew: Corrup"):
    list(opened.documents("train"))


def test_a_bit_of_the_tokenizer(options, tmp_path):
  _flip(_file(tmp_path, "tokenizers/*/tokenizer.json"))
  with pytest.raises(UsageError, match=r"damaged: tokenizer\.json is not"):
    rows.load(options, 32)


def test_entries_are_on_the_disk_before_they_have_their_name(
  tmp_path, monkeypatch
):
  synced = []
  real = os.fsync

  def fsync(file):
    synced.append(os.readlink(f"/proc/self/fd/{file}"))
    real(file)

  monkeypatch.setattr(os, "fsync", fsync)

  def build(folder):
    (folder / "inner").mkdir()
    (folder / "inner" / "file").write_text("text")

  path = cache.prepared(tmp_path / "entry", build)
  before, at = synced[:-1], synced[-1]
  partial = f"{path}.partial"
  assert {partial, f"{partial}/inner", f"{partial}/inner/file"} == {*before}
  assert at == str(tmp_path)


@pytest.mark.parametrize(
  "error",
  [
    OSError(28, "No space left on device"),
    RuntimeError("Failed to close writer: No space left on device; writing x"),
  ],
)
def test_a_full_disk_is_one_line(tmp_path, error):
  def build(folder):
    raise error

  with pytest.raises(UsageError, match=r"--data\.cache: no space left in"):
    cache.prepared(tmp_path / "entry", build)
  assert not list(tmp_path.glob("entry*[!k]"))


def test_nothing_is_left_in_the_temporary_directory(
  tiny, tmp_path, monkeypatch
):
  place = tmp_path / "temporary"
  place.mkdir()
  monkeypatch.setattr(tempfile, "tempdir", str(place))
  opened = corpus.open_corpus(tiny.data(cache=str(tmp_path / "cache")))
  assert list(opened.documents("test"))
  assert not list(place.iterdir())
  assert tempfile.tempdir == str(place)
