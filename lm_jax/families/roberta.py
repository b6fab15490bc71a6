"""RoBERTa (Liu et al. 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._bert_like import BertLike
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import VOCABULARY, Family
from lm_jax.types import Trunk


def _positions(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  offset = fields.integer("pad_token_id", 1, least=0) + 1
  rows = fields.integer("max_position_embeddings", 512, least=offset + 1)
  return {"position_offset": offset, "max_positions": rows - offset}


def _offset(trunk: Trunk) -> int:
  return trunk.position_offset or 1


class Roberta(BertLike):
  """Transformers' RobertaModel: a BERT whose positions follow its padding.

  The first position's row is the one after that of the padding's id. No
  padding may stand inside of a text: Transformers does not count it.
  """

  title = "RoBERTa"
  model_types = ("roberta",)
  template = _template.ROBERTA
  prefix = "roberta."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
  }
  token_keys: ClassVar[Mapping[str, str]] = Family.token_keys
  # Fairseq had a pooler everywhere, and so have the files of its models.
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "RobertaForMaskedLM": (VOCABULARY, "pooler?"),
    "RobertaModel": ("pooler?",),
    "RobertaForSequenceClassification": ("classification", "pooler?"),
    "RobertaForMultipleChoice": ("choice",),
    "RobertaForTokenClassification": ("tokens", "pooler?"),
    "RobertaForQuestionAnswering": ("span", "pooler?"),
  }
  rows: ClassVar[Mapping[str, Row]] = {
    **BertLike.rows,
    "max_position_embeddings": Row(
      "max_positions", 512, write=lambda t: t.max_positions + _offset(t)
    ),
    "pad_token_id": Row(read=_positions, write=lambda t: _offset(t) - 1),
  }
  defaults: ClassVar[Mapping[str, Any]] = {"vocab_size": 50265}
  fixed = dataclasses.replace(BertLike.fixed, output_activation="gelu")
  output = ("lm_head.dense", "lm_head.layer_norm", "lm_head.decoder")
  tied_bias = "lm_head.bias"
  pooler = "pooler.dense"
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "classification": ("classifier.dense", "classifier.out_proj"),
  }
