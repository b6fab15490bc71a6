import gzip
import json
import os
import sys

import pyarrow
import pytest
from pyarrow import parquet

from lm_jax.data import files, formats, mixture
from lm_jax.data import text as texts
from lm_jax.data.corpus import SPLITS, open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError


def _lines(values):
  return "".join(json.dumps(value) + "\n" for value in values).encode()


def _documents(folder, pattern="*", **options):
  options |= {"corpus": str(folder / pattern), "cache": str(folder / "cache")}
  corpus = open_corpus(DataOptions(**options))
  return {split: list(corpus.documents(split)) for split in SPLITS}


def test_whole_documents_are_held_out_and_equal_ones_stay_together(tmp_path):
  written = [{"text": f"Document {i % 60}.", "n": i} for i in range(70)]
  (tmp_path / "a.jsonl").write_bytes(_lines(written[:40]) + b"\n")
  (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(_lines(written[40:69])))
  (tmp_path / "c.txt").write_text(written[69]["text"])
  found = _documents(tmp_path)
  texts = {split: [d.text for d in found[split]] for split in SPLITS}
  together = texts["train"] + texts["validation"] + texts["test"]
  assert sorted(together) == sorted(w["text"] for w in written)
  assert len(set(texts["validation"])) == len(set(texts["test"])) == 3
  assert not set(texts["train"]) & {*texts["validation"], *texts["test"]}
  assert not set(texts["validation"]) & set(texts["test"])
  # Within a split, files and lines keep their order.
  order = [w["text"] for w in written if w["text"] in set(texts["train"])]
  assert texts["train"] == order
  assert all(d.ends for split in SPLITS for d in found[split])


def test_of_very_many_documents_the_lowest_hashes_are_held_out(
  tmp_path, monkeypatch
):
  monkeypatch.setattr(files, "MOST_HASHES", 30)
  written = [{"text": f"Document {i}."} for i in range(400)]
  (tmp_path / "a.jsonl").write_bytes(_lines(written))
  found = _documents(tmp_path)
  for split in SPLITS:
    assert found[split]
    for document in found[split]:
      hashed = texts.text_hash(document.text)
      assert texts.held_out(hashed) == split
  assert sum(map(len, found.values())) == 400
  (tmp_path / "b.jsonl").write_bytes(b"{")  # Bad input is found at the end.
  with pytest.raises(UsageError, match="b.jsonl, line 1"):
    _documents(tmp_path)


def test_the_tail_of_few_documents_is_held_out(tmp_path):
  text = "".join(f"Paragraph {i:03}.\n\n" for i in range(100))
  (tmp_path / "a.txt").write_text(text)
  found = _documents(tmp_path)
  assert [len(found[split]) for split in SPLITS] == [1, 1, 1]
  assert "".join(found[split][0].text for split in SPLITS) == text
  assert found["validation"][0].text.startswith("Paragraph 090.")
  assert found["test"][0].text.startswith("Paragraph 095.")
  assert [found[split][0].ends for split in SPLITS] == [False, False, True]


def test_shards_are_read_as_one_split(tmp_path, monkeypatch):
  monkeypatch.setattr(files, "SPLIT_BYTES", 100)
  written = [{"body": f"Document {i}. " * 5} for i in range(40)]
  (tmp_path / "a.jsonl").write_bytes(_lines(written))
  found = _documents(tmp_path, text_key="body")
  train = [d.text for d in found["train"]]
  assert len(train) == 36
  assert train == [w["body"] for w in written if w["body"] in set(train)]
  shards = list(tmp_path.glob("cache/tfds/*/local_text/*/*-train_*"))
  assert len(shards) > 10


def test_long_documents_are_cut_and_end_once(tmp_path, monkeypatch):
  monkeypatch.setattr(files, "RECORD_CHARACTERS", 40)
  (tmp_path / "a.jsonl").write_bytes(
    _lines({"text": f"{i} " + "word " * 30} for i in range(20))
  )
  train = _documents(tmp_path)["train"]
  assert sum(d.ends for d in train) == 18
  assert train[-1].ends
  assert sum(len(d.text) for d in train) > 18 * 150


@pytest.mark.parametrize(
  ("name", "content", "message"),
  [
    ("a.txt", b"abc\n\xe9t\xe9", r"a\.txt: byte 4 \(0xe9\) is not UTF-8"),
    ("a.jsonl", b'{"text": "a"}\n{"text": "\xff"}', r"jsonl: byte 24 \(0xff"),
    ("a.jsonl", b'{"text": "a"}\n{"txt": 1}', r"line 2: no field 'text' .*txt"),
    ("a.jsonl", b'{"text": "a"}\n{"text": ', r"a\.jsonl, line 2: not JSON"),
    ("a.jsonl", b'{"text": 3}', r"line 1: field 'text' is not a string"),
    ("a.jsonl", b'{"text": "\\ud800"}', r"line 1: '.ud800' is not a char"),
    ("a.txt.gz", b"plain", r"a\.txt\.gz: damaged gzip"),
    ("a.txt", b" \n", r"empty: there is no text in .*a\.txt"),
    ("a.txt", b"One line.", r"too small: no text is left for validation"),
    ("a.csv", b"One line.", r"no file found; valid are"),
  ],
)
def test_bad_input_is_named(tmp_path, name, content, message):
  (tmp_path / name).write_bytes(content)
  with pytest.raises(UsageError, match=message) as caught:
    _documents(tmp_path)
  assert "\n" not in str(caught.value)


def _parquet(path, column, **options):
  parquet.write_table(pyarrow.table(column), path, **options)


@pytest.mark.parametrize(
  "kind",
  ["string", "large_string", "string_view", "dictionary", "large dictionary"],
)
def test_parquet_is_read_row_by_row(tmp_path, kind):
  written = [f"Document {i} é." for i in range(700)]
  column = pyarrow.array([*written, None, " "])
  if kind.startswith("large"):
    column = column.cast(pyarrow.large_string())
  if kind.endswith("dictionary"):
    column = column.dictionary_encode()
  elif kind == "string_view":
    column = column.cast(pyarrow.string_view())
  _parquet(tmp_path / "a.parquet", {"n": range(702), "body": column})
  found = _documents(tmp_path, text_key="body")
  texts = [d.text for split in SPLITS for d in found[split]]
  assert sorted(texts) == sorted(written)
  order = [text for text in written if text in {d.text for d in found["train"]}]
  assert [d.text for d in found["train"]] == order


def test_bad_parquet_is_named(tmp_path):
  path = tmp_path / "a.parquet"
  _parquet(path, {"text": ["x" * 50 + str(i) for i in range(2000)]})
  good = path.read_bytes()
  for bad, message in (
    (b"", "a.parquet: damaged Parquet file"),
    (good[: len(good) // 2], "a.parquet: damaged Parquet file"),
    (good[:4] + b"\xff" * 400 + good[404:], "a.parquet: damaged Parquet file"),
  ):
    path.write_bytes(bad)
    with pytest.raises(UsageError, match=message) as caught:
      _documents(tmp_path)
    assert "\n" not in str(caught.value)
  raw = pyarrow.array([b"a", b"\xff"])
  strings = pyarrow.Array.from_buffers(pyarrow.string(), 2, raw.buffers())
  _parquet(path, {"text": strings, "n": [1, 2]})
  with pytest.raises(UsageError, match=r"row 2: byte 0 \(0xff\) is not UTF-8"):
    _documents(tmp_path)
  with pytest.raises(UsageError, match="no column 'body' .*'text', 'n'"):
    _documents(tmp_path, text_key="body")
  with pytest.raises(UsageError, match="'n' is not of strings but of int64"):
    _documents(tmp_path, text_key="n")


def test_parquet_without_pyarrow_names_what_to_install(tmp_path, monkeypatch):
  _parquet(tmp_path / "a.parquet", {"text": ["a"]})
  monkeypatch.setitem(sys.modules, "pyarrow", None)
  with pytest.raises(UsageError, match=r"pip install 'lm_jax\[parquet\]'"):
    _documents(tmp_path)


def test_errors_can_be_replaced(tmp_path):
  (tmp_path / "a.txt").write_bytes(b"\xe9t\xe9\nb\nc\n")
  assert _documents(tmp_path, errors="replace")["train"][0].text == "�t�\n"


def test_what_names_files(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  (tmp_path / "books").mkdir()
  for corpus in ("books", "b/*.txt", "nothing.jsonl.gz", "~/x", "./x"):
    assert formats.looks_like_files(corpus)
  for corpus in ("lm1b", "wikipedia/20230601.en"):
    assert not formats.looks_like_files(corpus)


def test_of_a_corpus_of_one_line_the_last_tenth_is_held_out(tmp_path):
  text = " ".join(f"word{i}" for i in range(1000))  # as text8 is
  (tmp_path / "a.txt").write_text(text)
  found = _documents(tmp_path)
  parts = [found[split][0].text for split in SPLITS]
  assert "".join(parts) == text
  for part, share in zip(parts, (0.9, 0.05, 0.05), strict=True):
    assert abs(len(part) - share * len(text)) < 12
    assert set(part.split()) <= set(text.split())  # no word is cut
  assert [found[split][0].ends for split in SPLITS] == [False, False, True]
  # Where words are not parted, to the character.
  assert files.tails("字" * 200, by_words=True)["test"] == "字" * 10
  # A document with paragraphs is parted between them all the same.
  lines = "".join(f"line {i}\n" for i in range(100))
  assert files.tails(lines, by_words=True) == files.tails(lines)


def test_a_name_that_is_not_utf8(tmp_path):
  for number in range(2):
    name = os.fsdecode(b"%d\xff.txt" % number)
    text = "".join(f"Line {i} of {number}.\n" for i in range(60))
    (tmp_path / name).write_text(text)
  found = _documents(tmp_path, "*.txt")
  assert len(found["train"]) == 2
  assert found["train"][0].metadata["name"] == r"0\xff.txt"


def test_a_name_with_brackets_is_no_pattern(tmp_path):
  for name in ("a[1].jsonl", "a1.jsonl"):
    text = _lines({"text": f"{name} {i}"} for i in range(20))
    (tmp_path / name).write_bytes(text)
  found = _documents(tmp_path, "a[1].jsonl")
  assert all("a[1]" in d.text for split in SPLITS for d in found[split])
  both = f"{tmp_path}/a[1].jsonl:0.5,{tmp_path}/a1.jsonl:0.5"
  assert [name for name, _ in mixture.parse(both)] == [
    f"{tmp_path}/a[1].jsonl",
    f"{tmp_path}/a1.jsonl",
  ]
