"""A sentencepiece model that no class claims.

A LLaMA directory without tokenizer_config.json is one. It is read by the
model's own settings, as sentencepiece does and Transformers since 5.24.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

from lm_jax.hugging_face.tokenizers import pieces
from lm_jax.hugging_face.tokenizers.pieces import Pieces
from lm_jax.hugging_face.tokenizers.pipelines import SPACE


def build(path: pathlib.Path) -> tuple[Any, list[Any], dict[str, str]]:
  """A tokenizer, the tokens to add to it, and its named tokens by part."""
  import tokenizers

  model = pieces.read_pieces(path)
  added = model.added()
  # Users' own pieces are text, which the pipeline keeps whole.
  own = [token.content for token in added if not token.special]
  tokenizer = tokenizers.Tokenizer(_model(model, bool(own)))
  _set_spaces(tokenizer, model, own)
  spec = model.trainer
  told = {
    "bos": spec.bos_piece if spec.bos_id >= 0 else "",
    "eos": spec.eos_piece if spec.eos_id >= 0 else "",
    "unk": spec.unk_piece if spec.unk_id >= 0 else "",
  }
  names = {part: token for part, token in told.items() if token}
  return tokenizer, [token for token in added if token.special], names


def _model(model: Pieces, whole: bool) -> Any:
  """whole: does a text that is a piece stay one, whatever the merges?"""
  from tokenizers import models

  fallback = model.trainer.byte_fallback
  if model.algorithm == pieces.UNIGRAM:
    return models.Unigram(
      model.vocabulary, unk_id=model.unknown, byte_fallback=fallback
    )
  normal = {  # The best score merges first.
    piece: (-score, i)
    for i, (piece, score) in enumerate(model.vocabulary)
    if model.types[i] == pieces.NORMAL
  }
  return models.BPE(
    vocab={piece: i for i, (piece, _) in enumerate(model.vocabulary)},
    merges=pieces.merges(normal),
    unk_token=model.trainer.unk_piece,
    fuse_unk=True,
    byte_fallback=fallback,
    ignore_merges=whole,
  )


def _set_spaces(tokenizer: Any, model: Pieces, own: list[str]) -> None:
  """Sets what comes before the model and after it, by the settings.

  own: pieces that are kept whole.
  """
  import tokenizers
  from tokenizers import decoders, normalizers, pre_tokenizers

  spec = model.spec
  steps: list[Any] = []
  if model.charsmap:
    steps.append(normalizers.Precompiled(model.charsmap))
  if spec.remove_extra_whitespaces:
    # Spaces only: sentencepiece lets lines be.
    around, several = map(tokenizers.Regex, (r"\A +| +\z", " {2,}"))
    steps += [
      normalizers.Replace(around, ""),
      normalizers.Replace(several, " "),
    ]
  if spec.escape_whitespaces:
    steps.append(normalizers.Replace(" ", SPACE))
  before: list[Any] = []
  back: list[Any] = [decoders.Replace(SPACE, " ")]
  if model.trainer.byte_fallback:
    back.append(decoders.ByteFallback())
  if spec.add_dummy_prefix:
    # Metaspace puts no space before a text that begins with one.
    first = tokenizers.Regex(rf"\A{SPACE}")
    steps.append(normalizers.Replace(first, 2 * SPACE))
    before.append(pre_tokenizers.Metaspace(replacement=SPACE, split=False))
    back += [decoders.Fuse(), decoders.Strip(content=" ", left=1)]
  elif model.trainer.byte_fallback:
    back.append(decoders.Fuse())
  if own:
    longest_first = sorted(own, key=len, reverse=True)
    whole = tokenizers.Regex("|".join(map(re.escape, longest_first)))
    before.append(pre_tokenizers.Split(whole, behavior="isolated"))
  tokenizer.normalizer = normalizers.Sequence(steps)
  tokenizer.pre_tokenizer = pre_tokenizers.Sequence(before)
  tokenizer.decoder = decoders.Sequence(back)
