"""BERT (Devlin et al. 2019), with the pair head of next sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from lm_jax.families import _template
from lm_jax.families._bert_like import BertLike
from lm_jax.families._fields import Fields
from lm_jax.families.base import VOCABULARY
from lm_jax.types import Head, Trunk


class Bert(BertLike):
  """Transformers' BertModel: post-norm, learned positions, token types."""

  title = "BERT"
  model_types = ("bert",)
  template = _template.BERT
  prefix = "bert."
  # Files from before 2021 have a pooler that their class does not use.
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "BertForMaskedLM": (VOCABULARY, "pooler?"),
    "BertForPreTraining": (VOCABULARY, "pair"),
    "BertModel": ("pooler?",),
    "BertForNextSentencePrediction": ("pair",),
    "BertForSequenceClassification": ("classification",),
    "BertForMultipleChoice": ("choice",),
    "BertForTokenClassification": ("tokens", "pooler?"),
    "BertForQuestionAnswering": ("span", "pooler?"),
  }
  writes = ("mlm", "mlm_nsp")
  output = (
    "cls.predictions.transform.dense",
    "cls.predictions.transform.LayerNorm",
    "cls.predictions.decoder",
  )
  tied_bias = "cls.predictions.bias"
  pooler = "pooler.dense"
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "pair": ("", "cls.seq_relationship"),
  }

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm_nsp" if {VOCABULARY, "pair"} <= set(outputs) else "mlm"

  def heads(self, fields: Fields) -> dict[str, Head]:
    return super().heads(fields) | {"pair": Head(2, "first", "tanh")}
