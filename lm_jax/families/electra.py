"""ELECTRA (Clark et al. 2020): its discriminator and its generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _bert_like, _template
from lm_jax.families._fields import Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  BLOCKS,
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
  token_ids,
)
from lm_jax.types import Head, Specials, Trunk

# Where a head's layers are: its dense one and its last.
_HEADS = {
  "replaced": (
    "discriminator_predictions.dense",
    "discriminator_predictions.dense_prediction",
  ),
  "classification": ("classifier.dense", "classifier.out_proj"),
  "choice": ("sequence_summary.summary", "classifier"),
  "tokens": ("", "classifier"),
  "span": ("", "qa_outputs"),
}


class Electra(Family):
  """Transformers' ElectraModel: a BERT with a factorized embedding."""

  title: ClassVar[str] = "ELECTRA"
  model_types: ClassVar[tuple[str, ...]] = ("electra",)
  template: ClassVar[Template] = _template.BERT
  prefix: ClassVar[str] = "electra."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "ElectraForPreTraining": ("replaced",),
    "ElectraForMaskedLM": (VOCABULARY,),
    "ElectraModel": (),
    "ElectraForSequenceClassification": ("classification",),
    "ElectraForMultipleChoice": ("choice",),
    "ElectraForTokenClassification": ("tokens",),
    "ElectraForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("ElectraModel",)
  objective: ClassVar[str] = "rtd"
  writes: ClassVar[tuple[str, ...]] = ("rtd",)
  ignored: ClassVar[tuple[str, ...]] = (r"embeddings\.position_ids$",)

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm" if VOCABULARY in outputs else self.objective

  def trunk(self, fields: Fields) -> Trunk:
    trunk = _bert_like.trunk(
      fields,
      hidden_size=256,
      num_attention_heads=4,
      intermediate_size=1024,
    )
    return dataclasses.replace(
      trunk,
      embedding_width=fields.integer("embedding_size", 128),
      output_activation="gelu",
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    return {
      **_bert_like.config(trunk),
      "embedding_size": trunk.embedding_width or trunk.width,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    summary: Any = "gelu"
    if fields.is_class("MultipleChoice"):
      # Transformers' other summaries read padding.
      fields.require("summary_type", "first")
      fields.require("summary_use_proj", True)
      fields.require("summary_proj_to_labels", False)
      summary = fields.activation("summary_activation", "gelu")
    return {
      "replaced": Head(1, transform="trunk"),
      "classification": Head(labels, "first", "gelu"),
      "choice": Head(1, "first", summary),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from _bert_like.embeddings()
    yield from linear("embeddings_project", f"{BLOCKS}.embedding_projection")
    yield from _bert_like.layers(trunk)

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      head = "generator_predictions"
      yield from linear(f"{head}.dense", f"{OUTPUT}.transform", top=True)
      yield from norm(f"{head}.LayerNorm", f"{OUTPUT}.norm", top=True)
      yield from same("generator_lm_head.bias", f"{OUTPUT}.bias", top=True)
      yield from same(
        "generator_lm_head.weight", f"{OUTPUT}.embedding", top=True
      )
      return
    for theirs, ours in zip(_HEADS[name], ("dense", "out"), strict=True):
      yield from linear(theirs, f"heads_{name}.{ours}", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    table = f"{self.prefix}embeddings.word_embeddings.weight"
    return {"generator_lm_head.weight": table}

  def tokens(self, specials: Specials) -> dict[str, int]:
    return token_ids(pad_token_id=specials.pad)
