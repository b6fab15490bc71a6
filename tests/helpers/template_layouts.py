"""How texts and pairs are laid out by each family, and small exports."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import tokenizers

from lm_jax.data import train_tokenizer
from lm_jax.hugging_face import read as read_lib
from lm_jax.hugging_face import tokenizers as tokenizers_lib
from lm_jax.types import Specials

SPECIALS = Specials(sentinels=3)
FAMILIES = read_lib.families()
BERT = ("[CLS] a [SEP]", "[CLS] a [SEP] b [SEP]", "000", "00011")
ROBERTA = ("<s> a </s>", "<s> a </s> </s> b </s>", "000", "000000")
T5 = ("a </s>", "a </s> b </s>", "00", "0000")
GPT2 = ("[BOS] a", "[BOS] a [BOS] b", "00", "0011")
TRANSLATION = ("a </s>", "a b </s>", "00", "000")
XLNET = ("a <sep> <cls>", "a <sep> b <sep> <cls>", "002", "00112")
LLAMA = ("<s> a", "<s> a <s> b", "00", "0011")
# As papers and Transformers' classes have them; see templates_parity_test.py.
READ = {
  "albert": BERT,
  "bart": ROBERTA,
  "bert": BERT,
  "distilbert": BERT,
  "electra": BERT,
  "gpt": GPT2,
  "gpt2": GPT2,
  "gpt_neo": GPT2,
  "llama": LLAMA,
  "m2m_100": TRANSLATION,
  "mbart": TRANSLATION,
  "modernbert": BERT,
  "mt5": T5,
  "roberta": ROBERTA,
  "t5": T5,
  "xlm_roberta": ROBERTA,
  "xlnet": XLNET,
}
TYPES = {"albert", "bert", "electra", "xlnet"}
TEXT = "the [MASK] law, <s> and </s> a <extra_id_0> b"


def content(kind: str) -> str:
  """A tokenizer.json of some kind, that knows a, b and some words."""
  texts = [TEXT, *"abcdefghijklmnopqrstuvwxyz"] * 3
  return train_tokenizer.train(kind, texts, 420, SPECIALS)


def written(
  folder: pathlib.Path,
  family: str,
  text: str,
  specials: Specials = SPECIALS,
  **flags: Any,
) -> tuple[tokenizers.Tokenizer, dict[str, Any]]:
  """The library's tokenizer, and tokenizer_config.json."""
  folder.mkdir(exist_ok=True)
  template = FAMILIES[family].template
  tokenizers_lib.write(folder, text, specials, 77, template, **flags)
  config = json.loads((folder / "tokenizer_config.json").read_text())
  path = folder / "tokenizer.json"
  return tokenizers.Tokenizer.from_file(str(path)), config
