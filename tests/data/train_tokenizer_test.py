import collections
import itertools
import json
import unicodedata

import numpy as np
import pytest
import tokenizers

from lm_jax.data import alphabet, train_tokenizer, train_unigram
from lm_jax.data.encoding import Encoder
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials

_SPECIALS = Specials(sentinels=3)
_ENGLISH = ["The ship's crew, 40 of them, sailed at dawn.\n\nAll was well!"] * 9
# Own sentences, in scripts with combining marks.
_MARKED = {
  "hi": "किताब मेज़ पर है। बच्चे किताबें पढ़ते हैं, और किताब की कहानी सुनते हैं।",
  "th": "วันนี้อากาศดีมาก เราไปเดินเล่นที่สวนสาธารณะ แล้วกลับบ้านตอนเย็น",
  "ar": "كَتَبَ الطَّالِبُ الدَّرْسَ فِي الدَّفْتَرِ، ثُمَّ قَرَأَ الكِتَابَ.",
  "he": "הַיֶּלֶד קָרָא סֵפֶר בַּבַּיִת, וְהַסֵּפֶר הָיָה טוֹב.",
  "vi": unicodedata.normalize("NFD", "Hôm nay trời đẹp, chúng tôi đi dạo."),
}
_CHINESE = (
  "河水上涨了，桥已经关闭。人们绕路回家，孩子们在雨里跑着，老师打着伞。"
  "今天的报纸说，明天会放晴，学校照常上课，图书馆也开门。"
)


def _train(kind, texts, size=420, version="2"):
  content = train_tokenizer.train(kind, texts, size, _SPECIALS, version)
  return Encoder(content, set(_SPECIALS.ids) - {_SPECIALS.unknown})


def _per_token(encoder, texts):
  return np.concatenate([x.bytes for x in encoder.encode_batch(texts)]).mean()


@pytest.mark.parametrize("language", _MARKED)
@pytest.mark.parametrize("kind", ["bpe", "unigram", "bytes", "characters"])
def test_marks_stay_with_their_letters(kind, language):
  text = _MARKED[language]
  encoder = _train(kind, [text] * 9)
  encoding = encoder.tokenizer.encode(text, add_special_tokens=False)
  words = [
    "".join(text[a:b] for a, b in dict.fromkeys(offsets))
    for _, offsets in itertools.groupby(
      encoding.offsets,
      key=dict(zip(encoding.offsets, encoding.word_ids, strict=True)).get,
    )
  ]
  assert "".join(words) == text
  for word in words:
    assert unicodedata.category(word.strip()[0])[0] != "M", words


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("language", ["hi", "th", "ar", "he"])
def test_words_with_marks_become_tokens(kind, language):
  texts = [_MARKED[language]] * 20
  before = _per_token(_train(kind, texts, version="1"), texts)
  assert _per_token(_train(kind, texts), texts) > 1.3 * before


@pytest.mark.parametrize("kind", ["bpe", "unigram", "bytes", "characters"])
@pytest.mark.parametrize("language", _MARKED)
def test_any_text_comes_back_with_its_bytes(kind, language):
  encoder = _train(kind, [_MARKED[language]])
  for text in (
    *_MARKED.values(),
    _CHINESE,
    "▁ <0x41>\t\x00 🙂\r\n\n",
    *_ENGLISH,
    "",
  ):
    [encoded] = encoder.encode_batch([text])
    assert encoder.tokenizer.decode(encoded.ids) == text
    data, place = text.encode(), 0
    for i, size in zip(encoded.ids, encoded.bytes, strict=True):
      piece = data[place : place + size]
      assert encoder.tokenizer.decode([i]) == piece.decode("utf-8", "replace")
      place += size
    assert place == len(data)


@pytest.mark.parametrize("kind", ["bpe", "bytes", "characters"])
def test_without_marks_it_is_the_tokenizer_of_before(kind):
  texts = [*_ENGLISH, "Ein Mädchen – „ja“, там был дом. 日本語も。" * 3] * 2
  first, second = (
    train_tokenizer.train(kind, texts, 400, _SPECIALS, version)
    for version in "12"
  )
  assert first == second


def test_no_token_of_bpe_holds_parts_of_two_characters():
  """Each is bytes of one character, or whole characters."""
  encoder = _train("bpe", [_MARKED["th"]] * 9)
  signs = train_tokenizer.byte_signs()
  names = json.loads(encoder.content)["model"]["vocab"].keys()
  for name in names - set(train_tokenizer.special_tokens(_SPECIALS)):
    data = bytes(map(signs.index, name))
    starts = sum(byte & 0xC0 != 0x80 for byte in data)
    if starts > 1 or len(data) > 3:
      data.decode()


def test_substrings_are_counted_as_by_hand():
  words = {" abab": 2, "ab": 3, "xyz": 1, "": 1}
  counts = collections.Counter()
  for word, count in words.items():
    for a, b in itertools.combinations(range(len(word) + 1), 2):
      if b - a > 1:
        counts[word[a:b]] += count
  frequent = {text: n for text, n in counts.items() if n > 1}
  found = train_unigram.substrings(words)
  assert dict(found) == frequent
  scores = [len(text) * n for text, n in found]
  assert scores == sorted(scores, reverse=True)


def test_unigram_has_words_that_begin_no_longer_one():
  """The library's own seeds leave them out; in Vietnamese these are most."""
  texts = ["ông đi về nhà. cô ấy ở nhà.", "ông ấy về. cô đi với ông."] * 30
  second, first = (_train("unigram", texts, version=v) for v in "21")
  tokens = second.tokenizer.get_vocab()
  assert {" đi", " về", " nhà", " ấy", "ông"} <= tokens.keys()
  assert _per_token(second, texts) > 1.2 * _per_token(first, texts)


def test_characters_fall_back_to_bytes_where_some_would_be_unknown():
  texts = [_CHINESE, _CHINESE[:30]]
  encoder = _train("characters", texts, size=420)
  [encoded] = encoder.encode_batch(["雪花飘。"])
  assert _SPECIALS.unknown not in encoded.ids
  assert encoder.tokenizer.decode(encoded.ids) == "雪花飘。"
  # All of them don't fit, and 1 refuses: "takes ..."
  encoder = _train("characters", texts, size=300)
  [encoded] = encoder.encode_batch([_CHINESE])
  assert _SPECIALS.unknown not in encoded.ids
  with pytest.raises(UsageError, match=r"=50: too small .*characters"):
    _train("characters", texts, size=50, version="1")


def _books(count=150, seed=0):
  """Texts of 3,000 Chinese characters, some of them rare, as Zipf has it."""
  random = np.random.default_rng(seed)
  share_V = 1 / np.arange(2, 3002)
  draws = random.choice(3000, (count, 2000), p=share_V / share_V.sum())
  return ["".join(chr(0x4E00 + i) for i in text) for text in draws]


def test_wordpiece_knows_the_characters_of_chinese():
  texts = _books()
  unknown = {}
  for version in "12":
    encoder = _train("wordpiece", texts, size=4000, version=version)
    ids = np.concatenate([x.ids for x in encoder.encode_batch(_books(9, 1))])
    unknown[version] = (ids == _SPECIALS.unknown).mean()
  assert unknown["1"] > 0.1
  assert unknown["2"] < 0.01
  with pytest.raises(UsageError, match=r"=1500: too small .*wordpiece") as told:
    _train("wordpiece", texts, size=1500)
  [enough] = [int(x) for x in str(told.value).split() if x.isdigit()]
  encoder = _train("wordpiece", texts, size=enough)
  ids = np.concatenate([x.ids for x in encoder.encode_batch(_books(9, 1))])
  assert (ids == _SPECIALS.unknown).mean() < 0.012
  with pytest.raises(UsageError):
    _train("wordpiece", texts, size=enough - 200)


def test_wordpiece_gives_chinese_back_without_spaces():
  texts = [_CHINESE, "他在2018年用 iPhone 拍照。", "ひらがなと漢字", *_ENGLISH]
  encoder = _train("wordpiece", texts * 3, size=400)
  for text in (_CHINESE, "ひらがなと漢字", "the crew sailed"):
    ids = encoder.encode_batch([text])[0].ids
    assert encoder.tokenizer.decode(ids) == text
  first = _train("wordpiece", texts * 3, size=400, version="1")
  ids = first.encode_batch(["河水"])[0].ids
  assert first.tokenizer.decode(ids) == "河 水"


def test_wordpiece_is_the_same_whenever_it_is_trained():
  contents = {
    train_tokenizer.train("wordpiece", _ENGLISH, 300, _SPECIALS)
    for _ in range(3)
  }
  assert len(contents) == 1


@pytest.mark.parametrize("sign", "汉々〇かカー。，ｱ𠀀")
def test_characters_of_east_asia(sign):
  assert alphabet.is_east_asian(sign)


@pytest.mark.parametrize("sign", "aéйก한🙂\ufffd")
def test_characters_of_elsewhere(sign):
  assert not alphabet.is_east_asian(sign)


def test_rare_characters_are_those_of_one_block():
  long = "a" * 4096 + "bb" + "a" * 4094 + "c"
  assert alphabet.rare([long, "cd"]) == {"b", "d"}


def test_unknown_words_are_estimated_without_themselves():
  words = {"ab": 1, "a": 4, "c": 1, "d": 1}
  counts = {"a": 5, "b": 1, "c": 1, "d": 1}
  shares = alphabet.unknown_shares(words, counts, {"b"})
  # Of b, c and d none is more frequent than the others.
  assert shares == pytest.approx([1, 3 / 7, 3 / 7, 3 / 7, 1 / 7])


def test_what_is_read_as_one_pre_token_is_bytes_of_its_own():
  built = tokenizers.Tokenizer.from_str(
    train_tokenizer.train("unigram", _ENGLISH, 400, _SPECIALS)
  )
  ids = built.encode("<0x41>[MASK]", add_special_tokens=False).ids
  names = [built.id_to_token(i) for i in ids]
  assert "<0x41>" not in names
