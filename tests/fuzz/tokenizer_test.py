"""tokenizer.json: goes to a library in Rust, which trusts it."""

import json
import os

import fuzzing
import pytest

from lm_jax.data import tokenizer_json, train_tokenizer, vocabulary
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.specials import FILE, to_json
from lm_jax.support.errors import UsageError
from lm_jax.types import Specials

_SPECIALS = Specials(sentinels=2)
_TEXTS = [
  "We met  the\nchallenge: [MASK] é",
  "",
  "\U0001f600 \u0301a\0b",
  "a" * 99,
]
_CORPUS = ["we met the challenge", "the state of the union is strong, we met"]


def _trained():
  return {
    kind: json.loads(train_tokenizer.train(kind, _CORPUS * 9, 330, _SPECIALS))
    for kind in vocabulary.KINDS
  }


def _steps():
  """Files with the steps that other people's have, each on a model."""
  base = _trained()["characters"]
  split = {"type": "Split", "behavior": "Isolated", "invert": False}
  replace = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
  digits = {"type": "Digits", "individual_digits": True}
  steps = [
    {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁",
                       "prepend_scheme": "always", "split": True}},
    {"pre_tokenizer": split | {"pattern": {"Regex": r"\p{L}+|\s"}}},
    {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [digits, split
                       | {"pattern": {"String": "e"}}]}},
    {"normalizer": {"type": "Sequence", "normalizers": [
      {"type": "NFKC"}, {"type": "Prepend", "prepend": "▁"}, replace,
      {"type": "Strip", "strip_left": True, "strip_right": False}]}},
    {"decoder": {"type": "ByteFallback"}},
    {"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 4],
                        "cls": ["[BOS]", 2]}},
    {"truncation": {"direction": "Right", "max_length": 5, "stride": 0,
                    "strategy": "LongestFirst"}},
    {"padding": {"strategy": {"Fixed": 9}, "direction": "Right", "pad_id": 0,
                 "pad_to_multiple_of": None, "pad_type_id": 0,
                 "pad_token": "[PAD]"}},
  ]  # fmt: skip
  return [base | step for step in steps]


@pytest.fixture(scope="module")
def valid():
  return [*_trained().values(), *_steps()]


def _use(tokenizer):
  for text in _TEXTS:
    ids = tokenizer.encode(text)
    assert tokenizer.encode(text) == ids, "random ids"
    assert all(0 <= i < tokenizer.vocabulary_size for i in ids)
    tokenizer.decode(ids)
    tokenizer.encode(text, parse_special=True)
  for encoded in tokenizer.encode_batch(_TEXTS):
    parts = encoded.word, encoded.sentence, encoded.bytes
    assert all(part.shape == encoded.ids.shape for part in parts)


@fuzzing.COUNTS
@pytest.mark.parametrize("kind", ["native", "adopted"])
def test_a_tokenizer_is_read_or_refused(count, kind, tmp_path, valid):
  path = tmp_path / "tokenizer.json"
  if kind == "native":
    (tmp_path / FILE).write_text(to_json(_SPECIALS))

  def read(data):
    path.write_bytes(data)

    def use():
      if kind == "native":
        _use(Tokenizer(path))
        return
      own = tmp_path / "own" / "tokenizer.json"
      own.parent.mkdir(exist_ok=True)
      own.write_text(vocabulary.adopt(path, _SPECIALS), encoding="utf-8")
      _use(Tokenizer(own, _SPECIALS))

    end, _ = fuzzing.attempt(use, "tokenizer.json")
    return [*fuzzing.is_json(data), end]

  shares = {"JSON": 0.5, "valid": 0.05}
  fuzzing.fuzz(
    f"tokenizer.json, {kind}", count, fuzzing.texts(valid), read, shares
  )


def _write(folder, content):
  (folder / FILE).write_text(to_json(_SPECIALS))
  path = folder / "tokenizer.json"
  path.write_text(json.dumps(content))
  return path


def test_a_panic_of_the_library_is_a_usage_error(tmp_path, valid):
  """In reading (a charsmap that is none) and in use (backtracking)."""
  charsmap = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
  path = _write(tmp_path, valid[0] | {"normalizer": charsmap})
  with pytest.raises(UsageError, match=r"not a tokenizer\.json: PanicExcept"):
    Tokenizer(path)
  regex = {
    "type": "Split",
    "pattern": {"Regex": "(a+)+$"},
    "behavior": "Isolated",
    "invert": False,
  }
  tokenizer = Tokenizer(_write(tmp_path, valid[0] | {"pre_tokenizer": regex}))
  with pytest.raises(UsageError, match=r"PanicException.*retry-limit"):
    tokenizer.encode_batch(["a" * 40 + "!"])


def test_interrupts_are_not_taken_for_panics(tmp_path):
  with pytest.raises(KeyboardInterrupt), tokenizer_json.using(tmp_path):
    raise KeyboardInterrupt


def test_random_merges_are_switched_off(tmp_path, valid):
  content = valid[0]
  assert content["model"]["type"] == "BPE"
  plain = Tokenizer(_write(tmp_path, content))
  expected = [plain.encode(text) for text in _CORPUS]
  model = content["model"] | {"dropout": 0.9}
  tokenizer = Tokenizer(_write(tmp_path, content | {"model": model}))
  for _ in range(5):
    assert [tokenizer.encode(text) for text in _CORPUS] == expected


def test_what_a_file_may_ask_for_is_bounded(tmp_path, valid):
  step = {"type": "Replace", "pattern": {"String": "a"}, "content": "a" * 99}
  many = {"type": "Sequence", "normalizers": [step] * 6}
  with pytest.raises(UsageError, match=r"tokenizer\.json.* 1e\+12 bytes of on"):
    Tokenizer(_write(tmp_path, valid[0] | {"normalizer": many}))
  word = {"type": "WordLevel", "vocab": {"a": 0, "b": 2**32 - 1}}
  content = valid[0] | {"model": word | {"unk_token": "a"}, "added_tokens": []}
  with pytest.raises(UsageError, match=r"has a token of id 4294967295"):
    Tokenizer(_write(tmp_path, content))


# Its panics tell of themselves, with all their frames.
os.environ.setdefault("RUST_BACKTRACE", "0")
