"""ELECTRA (Clark et al. 2020): its discriminator and its generator."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._bert_like import BertLike
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import BLOCKS, VOCABULARY
from lm_jax.types import Head, Trunk


class Electra(BertLike):
  """Transformers' ElectraModel: a BERT with a factorized embedding."""

  title = "ELECTRA"
  model_types = ("electra",)
  template = _template.BERT
  prefix = "electra."
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "ElectraForPreTraining": ("replaced",),
    "ElectraForMaskedLM": (VOCABULARY,),
    "ElectraModel": (),
    "ElectraForSequenceClassification": ("classification",),
    "ElectraForMultipleChoice": ("choice",),
    "ElectraForTokenClassification": ("tokens",),
    "ElectraForQuestionAnswering": ("span",),
  }
  objective = "rtd"
  writes = ("rtd",)
  rows: ClassVar[Mapping[str, Row]] = {
    **BertLike.rows,
    "embedding_size": Row("embedding_width", 128, zero=lambda t: t.width),
  }
  defaults: ClassVar[Mapping[str, Any]] = {
    "hidden_size": 256,
    "num_attention_heads": 4,
    "intermediate_size": 1024,
  }
  fixed = dataclasses.replace(BertLike.fixed, output_activation="gelu")
  first: ClassVar[Mapping[str, str]] = {
    **BertLike.first,
    "embeddings_project": f"{BLOCKS}.embedding_projection",
  }
  output = (
    "generator_predictions.dense",
    "generator_predictions.LayerNorm",
    "generator_lm_head",
  )
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "replaced": (
      "discriminator_predictions.dense",
      "discriminator_predictions.dense_prediction",
    ),
    "classification": ("classifier.dense", "classifier.out_proj"),
    "choice": ("sequence_summary.summary", "classifier"),
  }
  text_head = Head(0, "first", "gelu")

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm" if VOCABULARY in outputs else self.objective

  def heads(self, fields: Fields) -> dict[str, Head]:
    heads = super().heads(fields)
    if fields.is_class("MultipleChoice"):
      # Transformers' other summaries read padding.
      fields.require(
        summary_type="first",
        summary_use_proj=True,
        summary_proj_to_labels=False,
      )
      summary = fields.activation("summary_activation", "gelu")
      heads["choice"] = Head(1, "first", summary)
    return heads | {"replaced": Head(1, transform="trunk")}
