"""A tokenizer of ours as a directory that Transformers reads."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from lm_jax.types import ABSENT, Specials

# Transformers' names for our special tokens.
_NAMES = {
  "pad_token": "pad",
  "unk_token": "unknown",
  "bos_token": "boundary",
  "cls_token": "boundary",
  "eos_token": "end",
  "sep_token": "separator",
  "mask_token": "mask",
}


def write(
  directory: pathlib.Path,
  tokenizer_json: str,
  specials: Specials,
  max_length: int,
) -> None:
  """Writes tokenizer.json, tokenizer_config.json, special_tokens_map.json.

  AutoTokenizer of the directory gives a text the ids that `tokenizer_json`
  gives it, with `specials.before` and `specials.after` around them.

  max_length: of a text in tokens, special ones included.
  """
  import tokenizers
  from tokenizers import processors

  tokenizer = tokenizers.Tokenizer.from_str(tokenizer_json)
  before = [tokenizer.id_to_token(i) for i in specials.before]
  after = [tokenizer.id_to_token(i) for i in specials.after]
  ids = dict(
    zip([*before, *after], [*specials.before, *specials.after], strict=True)
  )
  tokenizer.post_processor = processors.TemplateProcessing(
    single=[*before, "$A", *after],
    pair=[*before, "$A:0", *after, "$B:1", *(f"{token}:1" for token in after)],
    special_tokens=list(ids.items()),
  )
  tokens = {
    name: tokenizer.id_to_token(getattr(specials, part))
    for name, part in _NAMES.items()
    if getattr(specials, part) != ABSENT
  }
  config = {
    **tokens,
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": max_length,
    "clean_up_tokenization_spaces": False,
  }
  (directory / "tokenizer.json").write_text(tokenizer.to_str())
  _write(directory / "tokenizer_config.json", config)
  _write(directory / "special_tokens_map.json", tokens)


def _write(path: pathlib.Path, content: dict[str, Any]) -> None:
  path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
