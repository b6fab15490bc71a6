"""Classes of Transformers 5 that keep a tokenizer.json's BPE and no pipeline.

Models of families that are read here come with them. The file is used as it
is; these say only what such a class would make of it (Transformers 5.24).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lm_jax.hugging_face.tokenizers import own, pipelines
from lm_jax.hugging_face.tokenizers.settings import Settings

_QWEN2 = (
  r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
  r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def difference(name: str, tokenizer: Any, settings: Settings) -> str:
  """Tells where a class gives other ids or texts than the file; "" if not.

  Args:
    name: of the class, without "Fast"; "" is said of those not known here.
    tokenizer: the file's, with its added tokens.
    settings: of its directory.
  """
  import tokenizers

  if name not in CLASSES or type(tokenizer.model).__name__ != "BPE":
    return ""
  of_class = tokenizers.Tokenizer.from_str(tokenizer.to_str())
  CLASSES[name](of_class, settings)
  return own.difference(tokenizer, of_class)


def _byte_level(
  tokenizer: Any, settings: Settings, *before: Any, words: bool = True
) -> None:
  """NFC, some steps, and bytes; of words as GPT-2 cuts them, if `words`."""
  from tokenizers import decoders, normalizers, pre_tokenizers

  space = bool(settings.flag("add_prefix_space", False))
  tokenizer.normalizer = normalizers.NFC()
  last = pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=words)
  tokenizer.pre_tokenizer = (
    pre_tokenizers.Sequence([*before, last]) if before else last
  )
  tokenizer.decoder = decoders.ByteLevel()


def _cohere(tokenizer: Any, settings: Settings) -> None:
  from tokenizers import pre_tokenizers

  digits = pre_tokenizers.Digits(individual_digits=True)
  _byte_level(tokenizer, settings, digits)


def _qwen2(tokenizer: Any, settings: Settings) -> None:
  import tokenizers

  words = tokenizers.pre_tokenizers.Split(
    tokenizers.Regex(_QWEN2), behavior="isolated", invert=False
  )
  _byte_level(tokenizer, settings, words, words=False)


def _falls_back(tokenizer: Any) -> None:
  """Turns what has no token into bytes, or into one unknown token."""
  model = tokenizer.model
  model.fuse_unk, model.byte_fallback = True, True
  model.dropout = None


def _gemma(tokenizer: Any, settings: Settings) -> None:
  from tokenizers import normalizers, pre_tokenizers

  _falls_back(tokenizer)
  tokenizer.normalizer = normalizers.Replace(" ", pipelines.SPACE)
  tokenizer.pre_tokenizer = pre_tokenizers.Split(
    " ", behavior="merged_with_previous", invert=False
  )
  tokenizer.decoder = pipelines.byte_fallback(strip=False)


def _code_llama(tokenizer: Any, settings: Settings) -> None:
  prefix = settings.flag("add_prefix_space", None) in (True, None)
  _falls_back(tokenizer)
  tokenizer.normalizer = None
  tokenizer.pre_tokenizer = pipelines.metaspace("first" if prefix else "never")
  tokenizer.decoder = pipelines.byte_fallback(strip=True)


CLASSES: dict[str, Callable[[Any, Settings], None]] = {
  "CodeLlamaTokenizer": _code_llama,
  "CohereTokenizer": _cohere,
  "GPTNeoXTokenizer": _byte_level,
  "GemmaTokenizer": _gemma,
  "Qwen2Tokenizer": _qwen2,
}
