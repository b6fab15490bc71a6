"""Bytes of tokens add up to those of the text, for tokenizers of others."""

import pytest
from tokenizers import (
  AddedToken,
  Regex,
  Tokenizer,
  models,
  normalizers,
  pre_tokenizers,
)

from lm_jax.data.encoding import Encoder

TEXTS = (
  "We the people 🙂🙂👩‍👩‍👧 of états-unis.",
  "今天天气很好。我们去公园玩吧！",
  "  a\u00a0b\tc\r\n\n\n  d  ",
  "مرحبا e\u0301 ﬁne ½ ＡＢＣ ㎏ İ ǅ ß",
  "\ufeff🙂\u3000全角　\u0000",
  "x <m> y  <m>z",
)
_SIGNS = "▁abcdefghijklmnopqrstuvwxyzWe今天"
_BYTES = [f"<0x{i:02X}>" for i in range(256)]
_LEVEL = {
  x: i for i, x in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))
}


def _byte_level(normalizer=None, before=None, **added):
  built = Tokenizer(models.BPE(vocab=_LEVEL, merges=[]))
  if normalizer:
    built.normalizer = normalizer
  plain = pre_tokenizers.ByteLevel(add_prefix_space=False)
  built.pre_tokenizer = before or plain
  if added:
    built.add_tokens([AddedToken("<m>", normalized=False, **added)])
  return built


def _llama(space="▁"):
  """Signs that it does not know, three bytes of "▁" perhaps, fall to bytes."""
  signs = _SIGNS.replace("▁", space)
  vocab = {
    x: i for i, x in enumerate(dict.fromkeys([*_BYTES, "<unk>", *signs]))
  }
  built = Tokenizer(
    models.BPE(
      vocab=vocab,
      merges=[],
      byte_fallback=True,
      unk_token="<unk>",
      fuse_unk=True,
    )
  )
  built.normalizer = normalizers.Sequence(
    [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
  )
  return built


def _t5(byte_fallback):
  pieces = [("<unk>", 0.0), *((x, -3.0) for x in dict.fromkeys(_SIGNS))]
  if byte_fallback:
    pieces += [(x, -5.0) for x in _BYTES]
  built = Tokenizer(models.Unigram(pieces, 0, byte_fallback))
  built.normalizer = normalizers.NFKC()
  built.pre_tokenizer = pre_tokenizers.Metaspace()
  return built


def _bert():
  vocab = {"[UNK]": 0}
  for sign in _SIGNS[1:].lower():
    vocab.setdefault(sign, len(vocab))
    vocab.setdefault(f"##{sign}", len(vocab))
  built = Tokenizer(models.WordPiece(vocab=vocab, unk_token="[UNK]"))
  built.normalizer = normalizers.BertNormalizer()
  built.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  return built


def _cut():
  built = _byte_level()
  built.enable_truncation(3)
  return built


BUILDERS = {
  "gpt2": _byte_level,
  "roberta": lambda: _byte_level(
    before=pre_tokenizers.ByteLevel(add_prefix_space=True)
  ),
  "qwen": lambda: _byte_level(
    normalizers.NFC(),
    pre_tokenizers.Sequence(
      [
        pre_tokenizers.Split(Regex(r"\s+|\S+"), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
      ]
    ),
  ),
  "an added token": lambda: _byte_level(special=False),
  "one that takes white space": lambda: _byte_level(lstrip=True, rstrip=True),
  "llama": _llama,
  "llama without a space": lambda: _llama(""),
  "t5": lambda: _t5(False),
  "t5 with bytes": lambda: _t5(True),
  "bert": _bert,
  "one that cuts": _cut,
}


@pytest.mark.parametrize("name", BUILDERS)
def test_bytes_of_tokens_add_up_to_the_text(name):
  encoder = Encoder(BUILDERS[name]().to_str(), [])
  for text, encoded in zip(TEXTS, encoder.encode_batch(TEXTS), strict=True):
    assert encoded.bytes.sum() == len(text.encode()), text
    assert encoded.bytes.min() >= 0
    # A token never has more than what is left of the text.
    assert encoded.bytes.max() <= len(text.encode())
