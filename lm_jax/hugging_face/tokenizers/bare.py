"""A sentencepiece model that no class of Transformers claims.

A LLaMA directory without tokenizer_config.json is one. Transformers puts no
space before a text then.
"""

from __future__ import annotations

import pathlib
from typing import Any

from lm_jax.hugging_face.tokenizers import pieces
from lm_jax.hugging_face.tokenizers.pipelines import SPACE


def build(path: pathlib.Path) -> tuple[Any, list[Any], dict[str, str]]:
  """A tokenizer, the tokens to add to it, and its named tokens by part."""
  import tokenizers
  from tokenizers import decoders, models, normalizers

  found = pieces.read_pieces(path)
  fallback = found.trainer.byte_fallback
  if found.algorithm == pieces.UNIGRAM:
    model: Any = models.Unigram(
      found.vocabulary, unk_id=found.unknown, byte_fallback=fallback
    )
  else:
    ids = {piece: i for i, (piece, _) in enumerate(found.vocabulary)}
    model = models.BPE(
      vocab=ids,
      merges=pieces.merges(ids),
      unk_token=found.trainer.unk_piece,
      fuse_unk=True,
      byte_fallback=fallback,
    )
  tokenizer = tokenizers.Tokenizer(model)
  steps: list[Any] = [normalizers.Replace(" ", SPACE)]
  if found.charsmap:
    steps.insert(0, normalizers.Precompiled(found.charsmap))
  tokenizer.normalizer = normalizers.Sequence(steps)
  back: list[Any] = [decoders.Replace(SPACE, " ")]
  if fallback:
    back += [decoders.ByteFallback(), decoders.Fuse()]
  tokenizer.decoder = decoders.Sequence(back)
  spec = found.trainer
  told = {
    "bos": spec.bos_piece if spec.bos_id >= 0 else "",
    "eos": spec.eos_piece if spec.eos_id >= 0 else "",
    "unk": spec.unk_piece if spec.unk_id >= 0 else "",
  }
  names = {part: token for part, token in told.items() if token}
  return tokenizer, found.added(), names
