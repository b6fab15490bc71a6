"""RoBERTa (Liu et al. 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _bert_like, _template
from lm_jax.families._fields import Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
)
from lm_jax.types import Head, Trunk


class Roberta(Family):
  """Transformers' RobertaModel: a BERT whose positions follow its padding.

  The first position's row is the one after that of the padding's id. No
  padding may stand inside of a text: Transformers does not count it.
  """

  title: ClassVar[str] = "RoBERTa"
  model_types: ClassVar[tuple[str, ...]] = ("roberta",)
  template: ClassVar[Template] = _template.ROBERTA
  prefix: ClassVar[str] = "roberta."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
  }
  # Fairseq had a pooler everywhere, and so have the files of its models.
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "RobertaForMaskedLM": (VOCABULARY, "pooler?"),
    "RobertaModel": ("pooler?",),
    "RobertaForSequenceClassification": ("classification", "pooler?"),
    "RobertaForMultipleChoice": ("choice",),
    "RobertaForTokenClassification": ("tokens", "pooler?"),
    "RobertaForQuestionAnswering": ("span", "pooler?"),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("RobertaModel",)
  objective: ClassVar[str] = "mlm"
  ignored: ClassVar[tuple[str, ...]] = (r"embeddings\.position_ids$",)
  # The vocabulary of a config.json that does not tell.
  vocabulary: ClassVar[int] = 50265

  def trunk(self, fields: Fields) -> Trunk:
    trunk = _bert_like.trunk(fields, vocab_size=self.vocabulary)
    offset = fields.integer("pad_token_id", 1, least=0) + 1
    rows = fields.integer("max_position_embeddings", 512, least=offset + 1)
    return dataclasses.replace(
      trunk,
      position_offset=offset,
      max_positions=rows - offset,
      output_activation="gelu",
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    offset = trunk.position_offset or 1
    return {
      **_bert_like.config(trunk),
      "pad_token_id": offset - 1,
      "max_position_embeddings": trunk.max_positions + offset,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "pooler": Head(0, "first", "tanh"),
      "classification": Head(labels, "first", "tanh"),
      "choice": Head(1, "first", "tanh"),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from _bert_like.embeddings()
    yield from _bert_like.layers(trunk)

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    ours = f"heads_{name}"
    if name == VOCABULARY:
      yield from linear("lm_head.dense", f"{OUTPUT}.transform", top=True)
      yield from norm("lm_head.layer_norm", f"{OUTPUT}.norm", top=True)
      bias = "bias" if trunk.tied else "decoder.bias"
      yield from same(f"lm_head.{bias}", f"{OUTPUT}.bias", top=True)
      yield from same("lm_head.decoder.weight", f"{OUTPUT}.embedding", top=True)
    elif name == "classification":
      yield from linear("classifier.dense", f"{ours}.dense", top=True)
      yield from linear("classifier.out_proj", f"{ours}.out", top=True)
    else:
      yield from linear("pooler.dense", f"{ours}.dense")
      theirs = "qa_outputs" if name == "span" else "classifier"
      yield from linear(theirs, f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    return {
      "lm_head.decoder.bias": "lm_head.bias",
      "lm_head.decoder.weight": (
        f"{self.prefix}embeddings.word_embeddings.weight"
      ),
    }

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    return {} if trunk.tied else {"lm_head.bias": "lm_head.decoder.bias"}
