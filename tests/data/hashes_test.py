"""Hashes of files, and what changes while it is read."""

import hashlib
import os
import pathlib
import shutil

import pytest

from lm_jax.data import (
  corpus,
  files,
  hashes,
  open_tokenizer,
  train_tokenizer,
  vocabulary,
)
from lm_jax.data.options import DataOptions
from lm_jax.support import cache
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials


def _old(path, seconds=100):
  """Makes a file older than what is taken for just written."""
  found = path.stat()
  os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - seconds * 10**9))


@pytest.fixture
def counted(monkeypatch):
  """The files that are really hashed, in their order."""
  seen = []
  real = hashes._digest

  def digest(path, *args):
    seen.append(path.name)
    return real(path, *args)

  monkeypatch.setattr(hashes, "_digest", digest)
  monkeypatch.setattr(hashes, "_YOUNG_NS", -(10**18))  # all are old enough
  return seen


def test_a_hash_is_remembered_while_the_file_stays_as_it_is(tmp_path, counted):
  paths = [tmp_path / f"{i}.txt" for i in range(3)]
  for path in paths:
    path.write_text(f"text {path.name}")
  found = hashes.hash_files(str(tmp_path), paths)
  for each in found:
    data = each.path.read_bytes()
    assert each.sha256 == hashlib.sha256(data).hexdigest()
  assert hashes.hash_files(str(tmp_path), paths) == found
  assert counted == ["0.txt", "1.txt", "2.txt"]
  # Of the same size, and even of the same time: a file put in its place.
  other = tmp_path / "other"
  other.write_text("text 1.bxt")
  shutil.copystat(paths[1], other)
  other.replace(paths[1])
  again = hashes.hash_files(str(tmp_path), paths)
  assert again[1].sha256 == hashlib.sha256(b"text 1.bxt").hexdigest()
  assert counted[3:] == ["1.txt"]


def test_a_file_that_was_just_written_is_not_remembered(tmp_path, counted):
  path = tmp_path / "a"
  path.write_text("one")
  hashes._YOUNG_NS = 10**18  # the fixture gives it back
  for _ in range(2):
    hashes.hash_file(str(tmp_path), path)
  assert counted == ["a", "a"]


@pytest.mark.parametrize("how", ["emptied", "cut", "flipped", "zeroed"])
def test_a_damaged_table_is_not_believed(tmp_path, counted, how):
  path = tmp_path / "a"
  path.write_text("one")
  wanted = hashes.hash_file(str(tmp_path), path)
  table = tmp_path / "hashes" / hashes.TABLE
  data = bytearray(table.read_bytes())
  match how:
    case "emptied":
      data = b""
    case "cut":
      data = data[:-30]
    case "flipped":
      data[-40] ^= 1
    case "zeroed":
      data = bytes(len(data))
  table.write_bytes(data)
  for _ in range(2):  # The second is remembered behind the damage.
    assert hashes.hash_file(str(tmp_path), path) == wanted
  assert counted == ["a", "a"]


def test_the_table_is_written_anew_when_little_of_it_is_of_use(
  tmp_path, counted, monkeypatch
):
  monkeypatch.setattr(hashes, "_MOST_LINES", 10)
  path = tmp_path / "a"
  for number in range(30):
    path.write_text(f"text {number}")
    found = hashes.hash_file(str(tmp_path), path)
  table = tmp_path / "hashes" / hashes.TABLE
  assert table.read_bytes().count(b"\n") < 15
  assert hashes.hash_file(str(tmp_path), path) == found
  assert len(counted) == 30


def test_many_files_take_a_constant_number_of_entries(tmp_path):
  paths = [tmp_path / f"{i}.txt" for i in range(500)]
  for path in paths:
    path.touch()
    _old(path)
  hashes.hash_files(str(tmp_path / "cache"), paths)
  # The table and the lock: neither grows in number with the files.
  assert len(list((tmp_path / "cache").rglob("*"))) <= 3


def _corpus(folder):
  path = folder / "a.jsonl"
  path.write_text("".join(f'{{"text": "Text {i}."}}\n' for i in range(60)))
  return path, DataOptions(corpus=str(path), cache=str(folder / "cache"))


def _texts(options):
  opened = corpus.open_corpus(options)
  return {d.text for split in corpus.SPLITS for d in opened.documents(split)}


def test_a_corpus_that_grows_while_it_is_read_is_refused(tmp_path, monkeypatch):
  path, options = _corpus(tmp_path)
  before = path.read_bytes()
  real = files.plan

  def plan(*args):
    with path.open("a") as file:
      file.write('{"text": "One more."}\n')
    return real(*args)

  with monkeypatch.context() as patch:
    patch.setattr(files, "plan", plan)
    with pytest.raises(
      UsageError, match=r"a\.jsonl: changed while it was read .*bytes and has"
    ):
      _texts(options)
  entries = tmp_path / "cache" / "tfds"
  assert not [path for path in entries.iterdir() if path.is_dir()]
  # Put back to what was hashed, it is what a fresh cache makes of it.
  path.write_bytes(before)
  assert _texts(options) == {f"Text {i}." for i in range(60)}


def test_a_tokenizer_that_changes_while_it_is_read_is_refused(
  tmp_path, monkeypatch
):
  _, options = _corpus(tmp_path)
  source = tmp_path / "tokenizer.json"
  source.write_text(train_tokenizer.train("bytes", [], 400, Specials()))
  real = vocabulary.adopt

  def adopt(path, specials):
    found = real(path, specials)
    path.write_text(path.read_text() + "\n")
    return found

  monkeypatch.setattr(vocabulary, "adopt", adopt)
  import dataclasses

  options = dataclasses.replace(options, tokenizer=str(source))
  with pytest.raises(UsageError, match=r"tokenizer\.json: changed while"):
    open_tokenizer.load_tokenizer(options, corpus.open_corpus(options))
  entries = tmp_path / "cache" / "tokenizers"
  assert not [path for path in entries.iterdir() if path.is_dir()]


def test_a_file_that_got_another_name_is_the_same(tmp_path):
  path = tmp_path / "a"
  path.write_text("one")
  _old(path)
  found = hashes.hash_file(str(tmp_path), path)
  os.link(path, tmp_path / "b")
  path.chmod(0o600)
  hashes.require_same([found])
  path.write_text("two")
  with pytest.raises(UsageError, match="it was written to"):
    hashes.require_same([found])


def test_a_cache_that_may_only_be_read_remembers_nothing(tmp_path, monkeypatch):
  path = tmp_path / "a"
  path.write_text("one")
  (tmp_path / "cache" / "hashes").mkdir(parents=True)
  monkeypatch.setattr(os, "access", lambda *args: False)
  found = hashes.hash_file(str(tmp_path / "cache"), path)
  assert found.sha256 == hashlib.sha256(b"one").hexdigest()
  assert not list((tmp_path / "cache" / "hashes").iterdir())


def test_a_file_that_is_not_there_is_named(tmp_path):
  with pytest.raises(UsageError, match="gone: cannot be read: No such file"):
    hashes.hash_file(str(tmp_path), pathlib.Path(tmp_path, "gone"))


def test_names_that_are_not_utf8_have_keys():
  one, other = (os.fsdecode(name) for name in (b"\xff", b"\xfe"))
  assert cache.key(one) != cache.key(other)


@pytest.mark.parametrize("place", ["file", "file/cache", "/proc/lm_jax"])
def test_a_cache_that_can_not_be_is_a_line(place, tmp_path):
  (tmp_path / "file").write_bytes(b"")
  with pytest.raises(UsageError, match=r"--data\.cache: cannot write to"):
    hashes.hash_file(str(tmp_path / place), tmp_path / "file")
