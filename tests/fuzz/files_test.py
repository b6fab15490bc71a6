"""Text and JSONL files, gzipped or not: what a corpus is read from."""

import gzip
import json

import fuzzing
import pytest
from hypothesis import strategies as st

from lm_jax.data import formats, text
from lm_jax.support.errors import UsageError

_LINES = [
  {"text": "We met the challenge.", "id": 1},
  {"text": "Zwölf Boxkämpfer.\n\nAbsatz.", "nested": {"a": [1, 2]}},
  {"text": "", "x": None},
]


@st.composite
def _files(draw):
  """(name, content): lines of broken JSON, or text; then gzip, broken too."""
  kind = draw(st.sampled_from(["jsonl", "jsonl", "txt"]))
  if kind == "jsonl":
    lines = draw(st.lists(fuzzing.texts(_LINES), max_size=3))
    data = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n"])).join(lines)
  else:
    some = st.text(max_size=60).map(str.encode) | st.binary(max_size=60)
    data = b"".join(draw(st.lists(some, max_size=3)))
  if draw(st.booleans()):
    return f"a.{kind}", data
  data = gzip.compress(data, 1, mtime=0)
  if draw(st.integers(0, 2)) == 0:
    data = draw(fuzzing.damaged(data))
  return f"a.{kind}.gz", data


@fuzzing.COUNTS
def test_documents_are_read_or_refused(count, tmp_path):
  def read(file):
    name, data = file
    path = tmp_path / name
    path.write_bytes(data)
    ends = []
    for errors in ("strict", "replace"):
      end, found = fuzzing.attempt(
        lambda errors=errors: list(formats.read([path], "text", errors)), path
      )
      ends += [f"{end} ({errors})"]
      for place, document in found or ():
        assert document.strip() and place.startswith(name)
        document.encode()
        assert "".join(text.pieces(document, 20)) == document
        text.sentence_starts(document)
    if ends[0].startswith("valid"):
      assert ends[1].startswith("valid"), "replace refuses what strict reads"
    return ends

  shares = {"valid (strict)": 0.2, "valid (replace)": 0.25}
  fuzzing.fuzz("corpus files", count, _files(), read, shares)


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.jsonl.gz", "a.txt.gz"])
def test_a_document_has_a_largest_size(tmp_path, monkeypatch, name):
  """Else a small gzip file, of one line without end, takes all memory."""
  monkeypatch.setattr(formats, "LARGEST", 1000)
  opened = gzip.open if name.endswith("gz") else open
  long = "x" * (1000 - len('{"text": ""}\n')) + " "
  for more, refused in (("", False), ("x", True)):
    with opened(tmp_path / name, "wb") as file:
      line = json.dumps({"text": long[1:] + more})
      file.write(f"{line}\n".encode() if "jsonl" in name else long.encode())
      file.write(b"" if "jsonl" in name else (13 * "x" + more).encode()[1:])
    documents = formats.read([tmp_path / name], "text", "strict")
    if not refused:
      list(documents)
      continue
    if "jsonl" in name:
      with pytest.raises(UsageError, match=r"a document of more than 1000 byt"):
        list(documents)


def test_a_bomb_is_refused_in_bounded_memory(tmp_path, monkeypatch):
  """A gigabyte in a megabyte of gzip; the limit here is 64 MiB."""
  monkeypatch.setattr(formats, "LARGEST", 64 << 20)
  path = tmp_path / "a.jsonl.gz"
  with gzip.open(path, "wb", compresslevel=1) as file:
    for _ in range(128):
      file.write(b"x" * (1 << 20))
  monkeypatch.setattr(fuzzing, "_MEMORY", 512 << 20)
  end, _ = fuzzing.attempt(
    lambda: list(formats.read([path], "text", "strict")), path
  )
  assert end == "refused"


def test_sentences_are_found_in_linear_time():
  """A line of stops once took time with the square of its length."""
  latin = (".", "?!", ".'", ". ", ".\n", '."', " [", "\n")
  for sign in (*latin, "。", "」", "「。」", "……", "ก ", "ก\n", ". »", "т. "):
    text.sentence_starts(sign * 2**19)
