import dataclasses
import gzip
import json

import pytest

from lm_jax import config
from lm_jax.data import encodings, files, formats, labels
from lm_jax.data.corpus import open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError

_CHINESE = "春天来了，河水上涨。\n\n桥已经关闭。\n\n人们绕路回家。"
_JAPANESE = "今日は雨です。\n\n明日は晴れます。\n\n山へ行きます。"


@pytest.mark.parametrize(
  ("encoding", "text"),
  [
    ("gb18030", _CHINESE + "𠀀"),
    ("GBK", _CHINESE),
    ("big5", "春天來了。\n\n橋已經關閉。\n\n人們繞路。"),
    ("shift_jis", _JAPANESE),
    ("euc-jp", _JAPANESE),
    ("utf-16", _CHINESE + "🙂"),
    ("utf-16-le", "\ufeff" + _CHINESE),
    ("utf-32", _CHINESE),
    ("iso2022_jp", _JAPANESE),
    ("cp1251", "Река поднялась.\n\nМост закрыт.\n\nЛюди идут."),
    ("utf-8-sig", _CHINESE),
  ],
)
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".txt.gz", ".jsonl.gz"])
def test_other_encodings(tmp_path, monkeypatch, encoding, text, suffix):
  monkeypatch.setattr(encodings, "_BYTES", 7)  # Cuts inside of characters.
  path = tmp_path / f"a{suffix}"
  if "jsonl" in suffix:
    line = json.dumps({"text": text.strip("\ufeff")}, ensure_ascii=False)
    data = f"{line}\n\n{line}".encode(encoding)
  else:
    data = text.encode(encoding)
  path.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
  read = [text for _, text in formats.read([path], "text", "strict", encoding)]
  assert read == [text.strip("\ufeff")] * (2 if "jsonl" in suffix else 1)


@pytest.mark.parametrize(
  "name",
  ["gb", "", "hex", "rot13", "zlib", "idna", "unicode_escape", "../x", "a\0b"],
)
def test_a_name_of_no_encoding_is_refused_before_anything(name):
  with pytest.raises(UsageError, match=r"data.encoding=.*valid are utf-8, gb"):
    open_corpus(DataOptions(corpus="no_such_file.txt", encoding=name))
  wrong = dataclasses.replace(
    config.Config(), data=DataOptions(corpus="none.txt", encoding=name)
  )
  with pytest.raises(UsageError, match="data.encoding="):
    config.build(wrong)


@pytest.mark.parametrize("chunk", [3, 2**16])
def test_bytes_of_another_encoding_are_named(tmp_path, monkeypatch, chunk):
  monkeypatch.setattr(encodings, "_BYTES", chunk)
  path = tmp_path / "a.txt"
  path.write_bytes("春天".encode("gb18030") + b"ab\xff" + b"c" * 9)
  with pytest.raises(UsageError, match=r"a\.txt: byte 0 .*=gb18030 \(big5"):
    list(formats.read([path], "text", "strict"))
  with pytest.raises(UsageError, match=r"byte 6 \(0xff\) is not gb18030"):
    list(formats.read([path], "text", "strict", "gb18030"))
  [(_, text)] = formats.read([path], "text", "replace", "gb18030")
  assert text == "春天ab\ufffd" + "c" * 9
  # Half of a character at the end.
  path.write_bytes("春天".encode("utf-16-le")[:-1])
  with pytest.raises(UsageError, match=r"byte 2 .*is not utf-16-le"):
    list(formats.read([path], "text", "strict", "utf-16-le"))


def test_the_encoding_is_part_of_what_a_corpus_is(tmp_path):
  path = tmp_path / "a.txt"
  path.write_bytes(_CHINESE.encode("gb18030"))

  def opened(**options):
    cache = str(tmp_path / "cache")
    return open_corpus(DataOptions(corpus=str(path), cache=cache, **options))

  texts = "".join(
    document.text
    for split in ("train", "validation", "test")
    for document in opened(encoding="gb18030").documents(split)
  )
  assert texts == _CHINESE
  prints = {
    name: opened(encoding=name).fingerprint
    for name in ("utf-8", "utf8", "gb18030", "GB18030", "gbk")
  }
  assert prints["utf-8"] == prints["utf8"] == opened().fingerprint
  assert prints["gb18030"] == prints["GB18030"]
  assert len(set(prints.values())) == 3


def test_labels_are_read_in_the_encoding_of_the_texts(tmp_path):
  path = tmp_path / "a.jsonl"
  lines = [
    json.dumps({"text": f"第{i}篇。", "topic": "河"}, ensure_ascii=False)
    for i in range(40)
  ]
  path.write_bytes("\n".join(lines).encode("utf-16"))
  plan = files.plan([path], "text", "strict", "utf-16")
  assert {label for _, label in labels.of_files(plan, "topic", "train")} == {
    "河"
  }
