import dataclasses
import itertools
import json

import numpy as np
import pytest

from lm_jax import specials as specials_lib
from lm_jax.data import train_tokenizer, vocabulary
from lm_jax.data.corpus import Corpus, Document
from lm_jax.data.open_tokenizer import load_tokenizer
from lm_jax.data.options import DataOptions
from lm_jax.data.text import sentences
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials

_TRAIN = [
  "It's 12 o'clock, and all is well [MASK].\n\nSo they said: yes! " * 8,
  "Une étude naïve — où ça? 日本 [SENTINEL_0] [PAD]." * 4,
]
_NEW = [
  *_TRAIN,
  "",
  " \n\t ",
  " Leading, and trailing \n",
  "[MASK][PAD] [R] [X][UNK] [SENTINEL_3] [BOS]",
  "Zwölf Ωμέγα 🙂🙂 \x00 end.\r\nNext",
]
_EXACT = ("bpe", "unigram", "bytes")


def _corpus(texts=_TRAIN, fingerprint="tiny"):
  documents = [Document(text, {}) for text in texts]
  return Corpus("tiny", fingerprint, lambda split: iter(documents))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp("cache")


def _load(folder, kind, **options):
  options |= {"tokenizer": str(kind), "cache": str(folder), "sentinels": 5}
  options.setdefault("vocabulary_size", 400)
  return load_tokenizer(DataOptions(**options), _corpus())


@pytest.fixture(params=vocabulary.KINDS)
def tokenizer(request, folder):
  return _load(folder, request.param)


def test_special_tokens_have_the_ids_of_specials(tokenizer):
  content = json.loads(tokenizer.path.read_text())
  ids = {t["content"]: t["id"] for t in content["added_tokens"]}
  specials = Specials(sentinels=5)
  assert tokenizer.specials == specials
  assert ids == {
    "[PAD]": specials.pad,
    "[UNK]": specials.unknown,
    "[BOS]": specials.boundary,
    "[EOS]": specials.end,
    "[SEP]": specials.separator,
    "[MASK]": specials.mask,
    "[R]": specials.regular,
    "[S]": specials.sequential,
    "[X]": specials.extreme,
    **{f"[SENTINEL_{i}]": specials.first_sentinel + i for i in range(5)},
  }


def test_text_that_looks_special_is_text(tokenizer):
  ids = np.concatenate([e.ids for e in tokenizer.encode_batch(_NEW)])
  special = set(ids.tolist()) & set(tokenizer.specials.ids)
  assert special <= {tokenizer.specials.unknown}
  assert ids.max() < tokenizer.vocabulary_size
  if tokenizer.decode(tokenizer.encode("🙂")):  # Bytes know every character.
    assert not special


def test_bytes_add_up_and_indices_count_from_zero(tokenizer):
  for text, encoded in zip(_NEW, tokenizer.encode_batch(_NEW), strict=True):
    assert encoded.ids.tolist() == tokenizer.encode(text)
    for array in (encoded.ids, encoded.word, encoded.sentence, encoded.bytes):
      assert array.dtype == np.int32
      assert array.shape == encoded.ids.shape
    if not encoded.ids.size:
      assert not text.strip()
      continue
    assert encoded.bytes.sum() == len(text.encode())
    assert encoded.bytes.min() >= 0
    assert encoded.word[0] == encoded.sentence[0] == 0
    assert set(np.diff(encoded.word)) <= {0, 1}
    assert (np.diff(encoded.sentence) >= 0).all()
    assert encoded.sentence[-1] == max(1, len(sentences(text))) - 1


@pytest.mark.parametrize("kind", _EXACT)
def test_byte_level_tokenizers_give_any_text_back(folder, kind):
  tokenizer = _load(folder, kind)
  for text in _NEW:
    encoded = tokenizer.encode_batch([text])[0]
    assert tokenizer.decode(encoded.ids) == text
    data, place = text.encode(), 0
    for i, size in zip(encoded.ids, encoded.bytes, strict=True):
      token = tokenizer.decode([i])
      piece = data[place : place + size]
      place += size
      assert token == piece.decode("utf-8", "replace")


def test_words_are_those_of_gpt2(folder):
  text = "It's 12 o'clock.\n\nAll is  well"
  words = ["It", "'s", " 12", " o", "'", "clock", ".", "\n", "\n", "All"]
  words += [" is", " ", " well"]
  for kind in ("bpe", "unigram", "bytes", "characters"):
    tokenizer = _load(folder, kind)
    encoded = tokenizer.encode_batch([text])[0]
    found = [
      "".join(tokenizer.decode([token]) for token, _ in group)
      for _, group in itertools.groupby(
        zip(encoded.ids, encoded.word, strict=True), key=lambda pair: pair[1]
      )
    ]
    assert found == words, kind


def test_special_tokens_can_be_shown(folder):
  tokenizer = _load(folder, "bpe")
  ids = [2, *tokenizer.encode("all is"), 5, 3]
  assert tokenizer.decode(ids) == "all is"
  assert tokenizer.decode(ids, False) == "[BOS]all is[MASK][EOS]"


def test_a_second_load_trains_nothing(folder, monkeypatch):
  first = _load(folder, "bpe")
  monkeypatch.setattr(train_tokenizer, "train", None)
  second = _load(folder, "bpe")
  assert second.fingerprint == first.fingerprint
  assert second.path == first.path


@pytest.mark.parametrize("kind", ["bpe", "wordpiece", "unigram", "characters"])
def test_a_tokenizer_json_is_adopted(folder, tmp_path, kind):
  # One with other specials at other ids, and tokens of its own around a text.
  tokenizer = _load(folder, kind)
  content = json.loads(tokenizer.path.read_text())
  vocab = content["model"]["vocab"]
  if isinstance(vocab, dict):
    content["model"]["vocab"] = {
      token: len(vocab) - 1 - i for token, i in vocab.items()
    }
  else:
    content["model"]["vocab"] = vocab[::-1]
    content["model"]["unk_id"] = len(vocab) - 2
  content["added_tokens"] = []
  path = tmp_path / "tokenizer.json"
  path.write_text(json.dumps(content))
  adopted = _load(folder, path)
  assert adopted.vocabulary_size == tokenizer.vocabulary_size
  for text in _NEW:
    ids = adopted.encode(text)
    assert adopted.decode(ids) == tokenizer.decode(tokenizer.encode(text))
    if kind != "characters":  # Which knows some special tokens as characters.
      assert len(ids) == len(tokenizer.encode(text))
  Tokenizer(adopted.path, Specials(sentinels=5))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"kind": "bppe"}, r"tokenizer=bppe: valid are .*nearest: bpe"),
    (
      {"kind": "bpe", "vocabulary_size": 200},
      r"vocabulary_size=200: too .*270",
    ),
    ({"kind": "unigram", "vocabulary_size": 200}, r"size=200: too small"),
    ({"kind": "characters", "vocabulary_size": 20}, r"size=20: too small"),
    ({"kind": "wordpiece", "vocabulary_size": 30}, r"size=30: too small"),
  ],
)
def test_bad_options_are_named(folder, options, message):
  with pytest.raises(UsageError, match=message):
    _load(folder, **options)


def test_what_is_no_tokenizer_json_is_refused(folder, tmp_path):
  path = tmp_path / "tokenizer.json"
  for content in ("", "[]", '{"model": {"vocab": {}}}'):
    path.write_text(content)
    with pytest.raises(UsageError, match=r"not a tokenizer\.json"):
      _load(folder, path)


def _keep(tokenizer, folder, **changes):
  """Writes what makes the tokenizer into a folder; returns the path."""
  for name, content in (tokenizer.files() | changes).items():
    (folder / name).write_text(content, encoding="utf-8")
  return folder / "tokenizer.json"


def test_what_a_run_keeps_makes_the_same_tokenizer(tokenizer, folder, tmp_path):
  path = _keep(tokenizer, tmp_path)
  assert path.read_bytes() == tokenizer.path.read_bytes()
  native = _load(folder, path, sentinels=77)  # which has no say
  assert native.fingerprint == tokenizer.fingerprint
  assert native.specials == tokenizer.specials == Specials(sentinels=5)
  assert native.path.read_bytes() == path.read_bytes()
  for text in _NEW:
    assert native.encode(text) == tokenizer.encode(text)
    assert native.encode(text, True) == tokenizer.encode(text, True)


def _foreign(kind, **changes):
  """A tokenizer.json as others write it, its special tokens far apart."""
  pieces = ["a", "b", "c", "<s>", " ", "<", ">", "s", "é"]
  content = {"version": "1.0", "normalizer": None, "post_processor": None}
  content |= {"pre_tokenizer": None, "decoder": {"type": "Fuse"}}
  if kind == "Unigram":
    pieces[6] = "d"  # ">" is unknown, as "<" is to T5.
    # As SentencePiece's control symbols: without a cost.
    vocab = [[p, 0.0 if p == "<s>" else -2.0 - i] for i, p in enumerate(pieces)]
    content["model"] = {"type": kind, "unk_id": 8, "vocab": vocab}
  else:
    vocab = {piece: i for i, piece in enumerate(pieces)}
    content["model"] = {"type": kind, "vocab": vocab, "merges": []}
  special = {"single_word": False, "lstrip": False, "rstrip": False}
  special |= {"normalized": False, "special": True}
  content["added_tokens"] = [
    {"id": 3, "content": "<s>", **special},
    {"id": 9, "content": "<de>", **special},
  ]
  content["truncation"] = {
    "direction": "Right",
    "max_length": 2,
    "strategy": "LongestFirst",
    "stride": 0,
  }
  content["padding"] = {
    "strategy": {"Fixed": 8},
    "direction": "Right",
    "pad_to_multiple_of": None,
    "pad_id": 3,
    "pad_type_id": 0,
    "pad_token": "<s>",
  }
  return json.dumps(content | changes, indent=2).replace("\n", "\r\n")


_FOREIGN = Specials(
  *(3, -1, 3, 3, -1, -1, -1, -1, -1, -1, 0, 1),
  start=9, before=(9,), after=(3,), others=(9,),
)  # fmt: skip


def _write(folder, content, specials=_FOREIGN, **others):
  files = {"tokenizer.json": content}
  files["specials.json"] = specials_lib.to_json(specials)
  for name, text in (files | others).items():
    (folder / name).write_bytes(text.encode())
  return folder / "tokenizer.json"


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_a_foreign_tokenizer_is_used_as_it_is(folder, tmp_path, kind):
  languages = {"languages.json": '{"de": 9}'}
  path = _write(tmp_path, _foreign(kind), **languages)
  native = _load(folder, path)
  for name in ("tokenizer.json", "specials.json", "languages.json"):
    kept = native.path.with_name(name).read_bytes()
    assert kept == path.with_name(name).read_bytes()
  assert native.specials == _FOREIGN
  assert native.languages == {"de": 9}
  assert native.vocabulary_size == 10
  text = "ab<s> c<de>"
  assert native.encode("ab ca") == [0, 1, 4, 2, 0]  # not cut, not padded
  assert native.encode(text, parse_special=True) == [0, 1, 3, 4, 2, 9]
  plain = native.encode(text)
  closing = 8 if kind == "Unigram" else 6
  assert plain[:8] == [0, 1, 5, 7, closing, 4, 2, 5]
  assert not {3, 9} & set(plain)
  (encoded,) = native.encode_batch([text])
  assert encoded.ids.tolist() == plain
  assert encoded.bytes.sum() == len(text)
  # The same from what a run keeps; with other special tokens, other rows.
  (tmp_path / "run").mkdir()
  again = _load(folder, _keep(native, tmp_path / "run"))
  assert again.fingerprint == native.fingerprint
  assert again.languages == native.languages
  (tmp_path / "other").mkdir()
  other = dataclasses.replace(_FOREIGN, end=9)
  changed = _load(folder, _write(tmp_path / "other", _foreign(kind), other))
  assert changed.fingerprint != native.fingerprint


@pytest.mark.parametrize(
  ("files", "message"),
  [
    ({"specials.json": "{"}, r"specials\.json: not JSON"),
    ({"languages.json": "[]"}, r"languages\.json: must be an object"),
    ({"languages.json": '{"de": 10}'}, "ids from 0 to 9, by name"),
    ({"languages.json": "{"}, r"languages\.json: not JSON"),
    ({"tokenizer.json": "{}"}, r"not a tokenizer\.json"),
  ],
)
def test_what_stands_beside_must_fit(folder, tmp_path, files, message):
  path = _write(tmp_path, _foreign("BPE"), **files)
  with pytest.raises(UsageError, match=message) as raised:
    _load(folder, path)
  assert str(tmp_path) in str(raised.value)


@pytest.mark.parametrize(
  ("change", "what"),
  [
    ({"mask": 10}, 10),
    ({"first_sentinel": 4, "sentinels": 7}, 10),
  ],
)
def test_special_ids_must_lie_in_the_vocabulary(folder, tmp_path, change, what):
  specials = dataclasses.replace(_FOREIGN, **change)
  path = _write(tmp_path, _foreign("BPE"), specials)
  with pytest.raises(UsageError, match=f"specials.json: the id {what} is not"):
    _load(folder, path)


def test_special_tokens_can_be_parsed(tokenizer):
  specials = tokenizer.specials
  text = "all[MASK][BOS][SENTINEL_3]"
  want = [specials.mask, specials.boundary, specials.first_sentinel + 3]
  assert tokenizer.encode(text, parse_special=True)[-3:] == want
  assert not {*want} & {*tokenizer.encode(text)}


def test_a_tokenizer_without_special_tokens_is_refused(folder, tmp_path):
  path = tmp_path / "tokenizer.json"
  path.write_text(_foreign("BPE"))
  with pytest.raises(UsageError, match=r"has no specials\.json beside it"):
    Tokenizer(path)
