"""Words of tokens: the tokenizer's, and those that it does not see."""

import itertools

import numpy as np
import pytest

from lm_jax.data import encoding, segmenters, train_tokenizer, word_facts
from lm_jax.types import Specials

TEXT = {
  "zh": "我们在大学学习新的知识，他们说：“很好！” 3天后见。",
  "ja": "新しい橋は来年できると市長が言いました。",
  "th": "วันนี้อากาศดีมาก เราไปเที่ยวกัน",
  "hi": "किताबें पढ़ना अच्छा है।",
  "en": "Don't stop, naïve 3.5% of “them” can't...",
  "mixed": "用 Python 写程序很有趣, isn't it?",
}
# With vocabularies in which no token is longer than a word here.
SIZES = {"bpe": 275, "wordpiece": 300, "unigram": 275, "bytes": 275}
SIZES["characters"] = 999


@pytest.fixture(scope="module", params=SIZES)
def encoder(request):
  # Unigram takes whatever comes twice for a token.
  times = 1 if request.param == "unigram" else 4
  texts, size = [*TEXT.values()] * times, SIZES[request.param]
  specials = Specials(sentinels=0)
  content = train_tokenizer.train(request.param, iter(texts), size, specials)
  return encoding.Encoder(content, [])


@pytest.fixture
def by_two(monkeypatch):
  """Cuts every run of a writing without spaces into words of two signs."""

  def cut(run, writing):
    return [run[i : i + 2] for i in range(0, len(run), 2)]

  monkeypatch.setattr(segmenters, "_cut", cut)


def words_of(encoder, text, rules=word_facts.NEWEST):
  """The text of each word: of the tokens that have its number."""
  encoder.rules = rules
  [encoded] = encoder.encode_batch([text])
  assert encoded.word[0] == 0
  assert set(np.diff(encoded.word)) <= {0, 1}
  data = text.encode()
  ends = np.cumsum(encoded.bytes)
  pieces = np.split(ends, np.flatnonzero(np.diff(encoded.word)) + 1)
  cuts = [0, *(int(piece[-1]) for piece in pieces)]
  return [
    data[a:b].decode(errors="replace").strip()
    for a, b in itertools.pairwise(cuts)
  ]


def test_words_without_spaces_are_the_segmenters(encoder, by_two):
  found = words_of(encoder, TEXT["zh"])
  assert found[:6] == ["我们", "在大", "学学", "习新", "的知", "识"]
  assert found[-4:-1] == ["3", "天后", "见"]
  found = words_of(encoder, TEXT["mixed"])
  assert found[:6] == ["用", "Python", "写程", "序很", "有趣", ","]


def test_marks_stay_with_their_words(encoder):
  assert words_of(encoder, TEXT["hi"])[:3] == ["किताबें", "पढ़ना", "अच्छा"]


def test_english_words_are_the_tokenizers_own(encoder):
  own = words_of(encoder, TEXT["en"], word_facts.Rules(by_script=False))
  assert words_of(encoder, TEXT["en"]) == own


def test_words_of_a_run_of_before_are_the_tokenizers_own(encoder, by_two):
  rules = word_facts.Rules(by_script=False)
  encoder.rules = rules
  for text in TEXT.values():
    own = encoder.tokenizer.encode(text).word_ids
    [encoded] = encoder.encode_batch([text])
    assert encoded.word.tolist() == own
