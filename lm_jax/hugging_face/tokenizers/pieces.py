"""Sentencepiece models: their pieces, scores and normalization.

Kudo and Richardson, "SentencePiece", 2018; the format is the protocol buffer
ModelProto of sentencepiece_model.proto.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from lm_jax.hugging_face.tokenizers import files
from lm_jax.support import links
from lm_jax.support.errors import UsageError

UNIGRAM, BPE = 1, 2
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6


@dataclasses.dataclass(frozen=True)
class Pieces:
  """A sentencepiece model.

  vocabulary: pieces and their scores (log-probabilities), by id.
  types: NORMAL, CONTROL, ... of each.
  charsmap: the compiled normalization, None where there is none.
  algorithm: UNIGRAM or BPE (or what else sentencepiece has).
  unknown: the id of the unknown piece, as the trainer was told.
  spec: of the normalizer, and trainer: of the trainer, as they are.
  """

  vocabulary: list[tuple[str, float]]
  types: list[int]
  charsmap: bytes | None
  algorithm: int
  unknown: int
  spec: Any
  trainer: Any

  def added(self) -> list[Any]:
    """Control pieces (special) and those that users defined (not)."""
    import tokenizers

    return [
      tokenizers.AddedToken(text, normalized=False, special=kind == CONTROL)
      for (text, _), kind in zip(self.vocabulary, self.types, strict=True)
      if kind in (CONTROL, USER_DEFINED)
    ]


def read_pieces(path: pathlib.Path) -> Pieces:
  """Reads a sentencepiece model.

  Raises:
    UsageError: the file is none, or has a piece twice.
  """
  from sentencepiece import sentencepiece_model_pb2

  links.inside(path)
  # The attributes of the module are made when it is imported.
  model = vars(sentencepiece_model_pb2)["ModelProto"]()
  try:
    model.ParseFromString(path.read_bytes())
  except OSError as error:
    raise UsageError(f"{path}: cannot be read: {error}") from error
  except Exception as error:  # DecodeError of whichever protobuf is there
    raise UsageError(f"{path}: not a sentencepiece model: {error}") from error
  if not model.pieces:
    raise UsageError(f"{path}: a sentencepiece model without pieces")
  files.check_tokens([piece.piece for piece in model.pieces], path)
  return Pieces(
    vocabulary=[(piece.piece, piece.score) for piece in model.pieces],
    types=[piece.type for piece in model.pieces],
    charsmap=model.normalizer_spec.precompiled_charsmap or None,
    algorithm=model.trainer_spec.model_type,
    unknown=model.trainer_spec.unk_id,
    spec=model.normalizer_spec,
    trainer=model.trainer_spec,
  )


def merges(ranks: Mapping[str, Any]) -> files.Merges:
  """The merges of byte pair encoding that pieces imply, the first first.

  A piece may come of any two pieces that it consists of. Lower ranks (ids,
  or what else can be sorted) merge first; for one piece, a shorter left part.
  """
  ranked = [
    (rank, left, piece[:left], piece[left:])
    for piece, rank in ranks.items()
    for left in range(1, len(piece))
    if piece[:left] in ranks and piece[left:] in ranks
  ]
  return [(a, b) for *_, a, b in sorted(ranked)]
