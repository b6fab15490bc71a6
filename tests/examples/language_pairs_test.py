"""Minimal pairs of other languages than English, of short own sentences."""

import collections
import importlib.util
import random

import pytest

from lm_jax.data import words
from lm_jax.data.corpus import Corpus, Document
from lm_jax.examples import letters, minimal_pairs
from lm_jax.examples.chinese_pairs import Chinese
from lm_jax.examples.cohesion import Words

# Each word often enough to be known; sentences of 6 to 20 words.
TEXTS = {
  "Han": [
    "我们昨天在学校看了一本很好的书。",
    "他们也喜欢这只小猫和那条大狗。",
    "老师每天都在家里写着三封长信。",
    "她已经去过北京和上海两个城市。",
  ],
  "Japanese": [
    "私は毎日学校で新しい本を読みます。",
    "彼女は昨日の夜に古い町へ行きました。",
    "先生は小さい犬と白い猫が好きです。",
  ],
  "Thai": [
    "เมื่อวานเราไปโรงเรียนกับเพื่อน",
    "แม่ทำอาหารอร่อยให้ทุกคนกิน",
  ],
  "Devanagari": [
    "मैं रोज़ सुबह स्कूल में नई किताब पढ़ता हूँ।",
    "कल शाम को बच्चे नदी के पास खेल रहे थे।",
  ],
  "Arabic": [
    "ذهب الولد إلى المدرسة الجديدة مع أخته الصغيرة.",
    "كتب المعلم رسالة طويلة إلى مدير المدرسة القديمة.",
  ],
  "Cyrillic": [
    "Вчера мы долго гуляли по старому городу вместе.",
    "Моя сестра каждый вечер читает новую большую книгу.",
  ],
  "Hangul": [
    "나는 어제 친구와 함께 새로운 학교에 갔다.",
    "우리 선생님은 매일 아침 작은 강아지를 본다.",
  ],
}
GERMAN = [
  "Die Kinder spielten gestern fröhlich im großen Garten der Familie.",
  "Wir können nicht weiter über eine neue Straße nachdenken.",
  "Meine Schwester liest jeden Abend ein schönes altes Buch.",
]
ENGLISH = [
  "The king of the country is in the city with the people.",
  "This house of the king has a great wall and many doors.",
  "It was a long way to the house in the old city.",
]


def corpus(sentences, copies=6):
  """A corpus whose training text has each held-out sentence several times."""
  held = " ".join(sentences)
  texts = {"train": [held] * copies, "test": [held]}
  return Corpus("tiny", "", lambda s: (Document(t, {}) for t in texts[s]))


def make(sentences, count=60):
  return minimal_pairs.minimal_pairs(corpus(sentences), count, 0, 12)


@pytest.mark.parametrize("script", TEXTS)
def test_each_script_has_swaps_and_replacements(script):
  pairs = make(TEXTS[script])
  if script == "Thai" and importlib.util.find_spec("icu") is None:
    # Letters in another order are no words in another order.
    assert not pairs
    return
  assert {pair.script for pair in pairs} == {script}
  assert pairs and all(pair.good != pair.bad for pair in pairs)
  for pair in pairs:
    assert any(pair.good in text for text in TEXTS[script])
    good, bad = (
      [text[a:b] for a, b in words.spans(text)]
      for text in (pair.good, pair.bad)
    )
    if pair.kind == "swap":
      assert sorted(pair.good) == sorted(pair.bad)
    if pair.kind == "replace" and script not in ("Han", "Japanese", "Thai"):
      assert sum(a != b for a, b in zip(good, bad, strict=True)) == 1


def test_german_has_no_english_morphology():
  pairs = make(GERMAN)
  assert len(pairs) == len(GERMAN)  # Umlauts are letters of words.
  assert {pair.kind for pair in pairs} <= {"swap", "replace"}


def test_english_keeps_its_inflections():
  kinds = {pair.kind for pair in make(ENGLISH)}
  assert "inflection" in kinds


def test_scripts_have_pairs_by_their_share_of_the_words():
  pairs = make([*TEXTS["Han"], *ENGLISH])
  numbers = {s: sum(k.values()) for s, k in minimal_pairs.counts(pairs).items()}
  assert numbers == {"Han": 4, "Latin": 3}
  # Both are among the first ones, which learning curves are drawn of.
  assert {pair.script for pair in pairs[:3]} == {"Han", "Latin"}


@pytest.fixture
def chinese():
  text = "一本书。一只猫。一条狗。一张纸。三位老师。两座山。" * 5
  return Chinese([text], random.Random(0), Words([]))


def changed(way, sentence):
  """What a way makes of a sentence: every outcome of 40 draws."""
  return {way(sentence) for _ in range(40)}


def test_a_classifier_becomes_one_of_another_set(chinese):
  outcomes = changed(chinese.classifier, "我买了一本新书。")
  assert None not in outcomes and "我买了一本新书。" not in outcomes
  assert outcomes <= {f"我买了一{x}新书。" for x in "只条张位座"}
  # One may say 一位 and 一名 of the same person.
  assert "他是三名老师。" not in changed(chinese.classifier, "他是三位老师。")
  # Ordinals, 部分, 这只是 and 一个个 hold no classifier.
  for text in (
    "他得了第一名好人。",
    "这一部分很好。",
    "这只是开始。",
    "一个个",
  ):
    assert chinese.classifier(text) is None


def test_an_aspect_marker_stands_before_its_verb(chinese):
  assert chinese.aspect("他看了书。") == "他了看书。"
  assert chinese.aspect("他去過北京。") == "他過去北京。"
  # Not every 了, 着 and 过 marks an aspect.
  for text in ("为了孩子", "他了解我们", "通过学习", "随着时间", "他来了。"):
    assert chinese.aspect(text) is None


def test_an_adverb_stands_behind_its_verb(chinese):
  assert chinese.order("他也去北京。") == "他去也北京。"
  assert chinese.order("他去北京。") is None


def test_pairs_are_a_function_of_the_arguments():
  assert make(TEXTS["Han"]) == make(TEXTS["Han"])


def test_verses_without_stops_are_sentences_of_their_lines():
  verses = [
    "قال الولد الصغير إن البيت كبير جدا",
    "ذهبت البنت مع أمها إلى البيت",
  ]
  pairs = make(["\n".join(verses)])
  assert {pair.good for pair in pairs} == set(verses)


def test_headings_and_quotes_make_no_pairs():
  more = "Вчера мы долго гуляли по старому городу вместе."
  heading, quote = "Глава первая о том как всё было", "Он сказал: «Да, я иду»."
  goods = {pair.good for pair in make([f"{heading}\n\n{quote}\n\n{more}"])}
  assert goods == {more}


@pytest.mark.parametrize(
  ("texts", "english"),
  [(ENGLISH, True), (GERMAN, False), ([*GERMAN, *ENGLISH], False), ([], False)],
)
def test_english_is_told_by_its_common_words(texts, english):
  assert letters.is_english(texts) is english


def test_scripts_are_counted_by_letters():
  counts = letters.letters(["日本語の本、abc 12 ñ"])
  assert counts == collections.Counter(Cjk=0) + collections.Counter(
    {"Han": 4, "Kana": 1, "Latin": 4}
  )
  assert letters.with_japanese(counts) == {"Japanese": 5, "Latin": 4}
  assert letters.main_script("汉字の") == "Japanese"
  assert letters.main_script("12 !") == ""


def test_a_classifier_is_as_frequent_as_the_one_it_replaces():
  text = "一本书。" * 50 + "一张纸。" * 40 + "一只猫。" * 3
  rare = Chinese([text], random.Random(0), Words([]))
  assert changed(rare.classifier, "我买了一本新书。") == {"我买了一张新书。"}
  assert rare.classifier("我有一只小猫。") is None


def test_characters_that_cohere_are_one_word(monkeypatch):
  alone = [(0, 1), (1, 2), (2, 3), (3, 4)]
  monkeypatch.setattr(
    words, "spans", lambda text: [(i, i + 1) for i in range(len(text))]
  )
  pieces = ["学校", "老师", "红", "大", "小", "水", "火", "山", "人", "天"]
  rng = random.Random(0)
  text = "".join(rng.choice(pieces) for _ in range(2000))
  joined = Words([text])
  assert joined.spans("大学校小") == [(0, 1), (1, 3), (3, 4)]
  assert joined.spans("学老师大") == [(0, 1), (1, 3), (3, 4)]
  # Nothing is known of an empty text, and nothing is joined.
  assert Words([]).spans("大学校小") == alone


def test_what_a_segmenter_has_cut_is_left_alone(monkeypatch):
  monkeypatch.setattr(
    words, "spans", lambda text: [(i, i + 2) for i in range(0, len(text), 2)]
  )
  assert Words(["学校老师" * 50]).spans("学校老师") == [(0, 2), (2, 4)]
