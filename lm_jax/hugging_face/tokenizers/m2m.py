"""M2M-100: vocab.json gives ids to the pieces of a sentencepiece model.

Transformers runs sentencepiece itself here, and not a pipeline like its own.
Fan et al., "Beyond English-Centric Multilingual Machine Translation", 2020.
Two departures: a piece that vocab.json lacks is left out, so that a text is
cut into shorter ones where Transformers gives an unknown token; and a text in
which several combining marks follow one another out of their canonical order
may be normalized otherwise.
"""

from __future__ import annotations

import pathlib
from typing import Any

from lm_jax.hugging_face.tokenizers import (
  files,
  languages,
  pieces,
  sentencepiece_normalizer,
)
from lm_jax.hugging_face.tokenizers.hf_classes import Kind
from lm_jax.hugging_face.tokenizers.settings import PARTS, Settings
from lm_jax.hugging_face.tokenizers.source import readable
from lm_jax.support.errors import UsageError

_VOCABULARY, _MODEL = "vocab.json", "sentencepiece.bpe.model"
KIND = Kind(
  model="",
  files=(_VOCABULARY, _MODEL),
  names={
    "bos": "<s>",
    "eos": "</s>",
    "unk": "<unk>",
    "sep": "</s>",
    "pad": "<pad>",
  },
  build=lambda source, settings: None,
  before=("language",),
  after=("eos",),
  languages=("en",),
)


def build(settings: Settings) -> tuple[Any, tuple[str, ...]]:
  """The tokenizer of a directory, and its language tokens.

  Raises:
    UsageError: a file is not there or broken, an unknown set of languages.
  """
  import tokenizers

  directory = settings.directory
  if not all((directory / name).is_file() for name in KIND.files):
    raise UsageError(
      f"{directory}: no tokenizer files; looked for {' with '.join(KIND.files)}"
    )
  code = settings.flag("language_codes", "m2m100")
  if code not in [*languages.M2M]:
    raise UsageError(
      f"{directory}: language_codes is {code!r}; known are "
      f"{', '.join(languages.M2M)}"
    )
  path = directory / _VOCABULARY
  ids = files.check_ids(files.json_object(path), path)
  names = {
    part: settings.content(part, KIND.names.get(part, "")) for part in PARTS
  }
  if names["unk"] not in ids:
    raise UsageError(f"{path}: lacks the unknown token {names['unk']!r}")
  model = pieces.read_pieces(directory / _MODEL)
  tokenizer = tokenizers.Tokenizer(_model(model, ids, names["unk"], path))
  with readable(directory / _MODEL):
    sentencepiece_normalizer.like_sentencepiece(tokenizer, model)
  tokens = tuple(f"__{name}__" for name in languages.M2M[code])
  tokenizer.add_special_tokens([*tokens])
  added = [settings.added[i] for i in sorted(settings.added)]
  tokenizer.add_tokens(added)
  tokenizer.add_special_tokens([name for name in names.values() if name])
  return tokenizer, tokens


def _model(
  model: pieces.Pieces, ids: dict[str, int], unknown: str, path: pathlib.Path
) -> Any:
  from tokenizers import models

  kinds = (pieces.NORMAL, pieces.USER_DEFINED)
  scores = {
    piece: score
    for (piece, score), kind in zip(model.vocabulary, model.types, strict=True)
    if kind in kinds and piece in ids
  }
  if not scores:
    raise UsageError(f"{path}: has none of the pieces of {_MODEL}")
  if model.algorithm == pieces.BPE:
    ranked = sorted(scores, key=lambda piece: -scores[piece])
    order = {piece: i for i, piece in enumerate(ranked)}
    return models.BPE(
      vocab=ids, merges=pieces.merges(order), unk_token=unknown, fuse_unk=True
    )
  # Never better than letter by letter.
  never = min(scores.values())
  by_id = sorted(ids, key=ids.__getitem__)
  listed = [(token, scores.get(token, never)) for token in by_id]
  return models.Unigram(listed, unk_id=ids[unknown], byte_fallback=False)
