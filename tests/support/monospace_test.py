"""Tables on a terminal, of texts whose characters take two cells or none."""

import random
import textwrap
import unicodedata

from lm_jax.report.blocks import Card, Heading, Table, Text, plain
from lm_jax.support import columns, monospace


def cells(text):
  """Counts by Unicode's own tables, for texts without emoji."""
  return sum(
    0
    if unicodedata.category(sign) in ("Mn", "Me")
    else 2
    if unicodedata.east_asian_width(sign) in "WF"
    else 1
    for sign in text
  )


def test_width_is_unicodes():
  for text in ("评测", "ｱ評", "Größe −1", "שָׁלוֹם", "한국어", "a，b。"):
    assert monospace.width(text) == cells(text)


def test_ascii_is_wrapped_as_ever():
  rng = random.Random(0)
  for _ in range(50):
    words = [
      "".join(rng.choices("ab-.", k=rng.randint(1, 12))) for _ in "x" * 9
    ]
    text = " ".join(words)
    assert monospace.wrap(text, 9) == textwrap.wrap(
      text, 9, break_on_hyphens=False
    )


def test_lines_of_chinese_fit():
  text = "人工智能正在改变世界，研究人员提出了新的方法。" * 9
  lines = plain([Text(text), Heading("评测")]).splitlines()
  assert "".join(lines[:-3]) == text
  assert max(map(cells, lines)) in (99, 100)
  assert lines[-2:] == ["评测", "===="]


def test_columns_begin_in_one_cell():
  table = Table(("arm", "bits"), (("评测-mlm", "1.5"), ("clm", "12.5")))
  lines = plain([table]).splitlines()
  assert {cells(line) for line in lines} == {14}
  card = plain([Card((("问题", "x"), ("ab", "x")))]).splitlines()
  listed = columns.columns([("诗词", "x"), ("ab", "x")]).splitlines()
  for one, other in (card, listed):
    assert cells(one.partition("x")[0]) == cells(other.partition("x")[0]) == 6
