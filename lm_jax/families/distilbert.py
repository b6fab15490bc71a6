"""DistilBERT (Sanh et al. 2019)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._bert_like import BertLike
from lm_jax.families._table import Row
from lm_jax.families.base import VOCABULARY
from lm_jax.types import Head


class DistilBert(BertLike):
  """Transformers' DistilBertModel: a BERT without token types and pooler.

  Its positions are a table even where they started as sinusoids.
  """

  title = "DistilBERT"
  model_types = ("distilbert",)
  template = _template.UNTYPED
  prefix = "distilbert."
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "DistilBertForMaskedLM": (VOCABULARY,),
    "DistilBertModel": (),
    "DistilBertForSequenceClassification": ("classification",),
    "DistilBertForMultipleChoice": ("choice",),
    "DistilBertForTokenClassification": ("tokens",),
    "DistilBertForQuestionAnswering": ("span",),
  }
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 30522),
    "dim": Row("width", 768),
    "n_layers": Row("layers", 6),
    "n_heads": Row("heads", 12),
    "hidden_dim": Row("feedforward", 3072),
    "activation": Row("activation", "gelu"),
    "max_position_embeddings": Row("max_positions", 512),
    "tie_word_embeddings": Row("tied", True),
    "dropout": Row("dropout", 0.1),
    "attention_dropout": Row("attention_dropout", 0.1),
    "initializer_range": Row("initializer_range", 0.02),
  }
  second_names: ClassVar[Mapping[str, str]] = {
    "hidden_size": "dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
  }
  required: ClassVar[Mapping[str, Any]] = {}
  fixed = dataclasses.replace(BertLike.fixed, norm_epsilon=1e-12)
  layer = "transformer.layer.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "attention.q_lin": "attention.query",
    "attention.k_lin": "attention.key",
    "attention.v_lin": "attention.value",
    "attention.out_lin": "attention.out",
    "sa_layer_norm": "attention_norm",
    "ffn.lin1": "feedforward.up",
    "ffn.lin2": "feedforward.down",
    "output_layer_norm": "feedforward_norm",
  }
  output = ("vocab_transform", "vocab_layer_norm", "vocab_projector")
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = dict.fromkeys(
    ("classification", "choice"), ("pre_classifier", "classifier")
  )
  text_head = Head(0, "first", "relu")
