"""Words of every script, by what is installed."""

import pytest

from lm_jax.data import segmenters, words


@pytest.fixture
def bare(monkeypatch):
  """Without the extra, whatever is installed."""
  monkeypatch.setattr(segmenters, "_library", lambda name: None)
  monkeypatch.setattr(segmenters, "_named", lambda name: "")


def cut(text):
  return "|".join(text[a:b] for a, b in words.spans(text))


@pytest.mark.parametrize(
  ("text", "right"),
  [
    ("Don't pay $1,000.50 — we're up.", "Don't|pay|1,000.50|we're|up"),
    ("well-known", "well|known"),
    ("L’été à Sant Coŀlegi, col·legi", "L’été|à|Sant|Coŀlegi|col·legi"),
    ("Größe über Straßen", "Größe|über|Straßen"),
    ("Он сказал: «нет» 3,5", "Он|сказал|нет|3,5"),
    ("मैं हिन्दी बोलता हूँ।", "मैं|हिन्दी|बोलता|हूँ"),
    ("قَالَ: نَعَمْ؟", "قَالَ|نَعَمْ"),
    ("می\u200cخواهم بروم", "می\u200cخواهم|بروم"),
    ("צה״ל אמר: שָׁלוֹם", "צה״ל|אמר|שָׁלוֹם"),
    ("저는 학생입니다.", "저는|학생입니다"),
    ("cafe\u0301 x2 a_b U.S.", "cafe\u0301|x2|a|b|U|S"),
    ("'tis rock 'n' roll...", "tis|rock|n|roll"),
    ("", ""),
  ],
)
def test_words_with_spaces_keep_marks_and_apostrophes(bare, text, right):
  assert cut(text) == right


def test_without_the_extra_characters_with_their_marks_are_words(bare):
  assert cut("我用iPhone15拍照。") == "我|用|iPhone15|拍|照"
  assert cut("𠮷野家で、パン") == "𠮷|野|家|で|パ|ン"
  assert cut("ที่นี่ 5 บาท") == "ที่|นี่|5|บ|า|ท"
  assert cut("ខ្មែរ") == "ខ្មែ|រ"
  assert segmenters.used(["Thai", "Chinese", "marks"]) == (
    "Chinese by characters; Thai by characters"
  )
  assert segmenters.used(["marks"]) == ""


def test_chinese_words_by_dictionary():
  pytest.importorskip("rjieba")
  text = "我们在北京大学学习人工智能。"
  assert cut(text) == "我们|在|北京大学|学习|人工智能"
  named = segmenters.used(["Chinese"])
  assert named.startswith("Chinese by rjieba 0.")


def test_words_of_the_others_by_icu():
  pytest.importorskip("icu")
  assert cut("ภาษาไทยง่าย 50 บาท") == "ภาษา|ไทย|ง่าย|50|บาท"
  assert cut("𠮷田は東京の学生です。") == "𠮷|田|は|東京|の|学生|です"
  assert cut("ខ្ញុំស្រលាញ់ភាសាខ្មែរ") == "ខ្ញុំ|ស្រលាញ់|ភាសាខ្មែរ"
  assert segmenters.used(["Thai"]).startswith("Thai by icu ")


def test_traditional_characters_are_looked_up_as_simplified_ones():
  pytest.importorskip("rjieba")
  pytest.importorskip("icu")
  assert cut("我們喜歡機器學習") == "我們|喜歡|機器|學習"


def test_a_line_tells_japanese_from_chinese(monkeypatch):
  asked = []

  def note(run, writing):
    asked.append((run, writing))
    return [run]

  monkeypatch.setattr(segmenters, "_cut", note)
  cut("東京大学での研究、大阪\n北京大学")
  # A line without kana in a text that is Japanese: so is the line.
  assert asked == [
    *(("東京大学での研究", "Japanese"), ("大阪", "Japanese")),
    ("北京大学", "Japanese"),
  ]
  asked.clear()
  cut("我们今天去了北京大学听课，看见鲜の每日牛奶\n味は良い")
  assert [writing for _, writing in asked] == ["Chinese", "Chinese", "Japanese"]
  asked.clear()
  cut("ไทย, ລາວ")
  assert asked == [("ไทย", "Thai"), ("ລາວ", "Lao")]


@pytest.mark.parametrize(
  ("parts", "text"),
  [
    (("He", "met", "王", "."), "He met王."),
    (("He", "said", ",", "no"), "He said , no"),
    (tuple("共1998年IBM，"), "共1998年IBM，"),
    (("ชื่อ", "IBM", "๑"), "ชื่อIBM๑"),
    ((), ""),
  ],
)
def test_words_are_joined_as_their_script_does(parts, text):
  joined, starts = words.joined(parts)
  assert joined == text
  for part, start in zip(parts, starts, strict=True):
    assert joined[start : start + len(part)] == part


def test_writings_of_texts():
  assert segmenters.writings_of(["Plain — “English”, naïve ☺️"]) == []
  assert segmenters.writings_of(iter(["中文", "किताब"])) == ["Chinese", "marks"]
  assert segmenters.writings_of(["これ"]) == ["Japanese"]
  assert segmenters.writings_of(["ไทย"], ["Lao"]) == []
