"""DistilBERT (Sanh et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import ACTIVATION_NAMES, Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  BLOCKS,
  EMBEDDER,
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

# Nothing of a configuration changes it.
_EPSILON = 1e-12
_SECOND_NAMES = {
  "hidden_size": "dim",
  "num_hidden_layers": "n_layers",
  "num_attention_heads": "n_heads",
}


class DistilBert(Family):
  """Transformers' DistilBertModel: a BERT without token types and pooler.

  Its positions are a table even where they started as sinusoids.
  """

  title: ClassVar[str] = "DistilBERT"
  model_types: ClassVar[tuple[str, ...]] = ("distilbert",)
  template: ClassVar[Template] = _template.UNTYPED
  prefix: ClassVar[str] = "distilbert."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "DistilBertForMaskedLM": (VOCABULARY,),
    "DistilBertModel": (),
    "DistilBertForSequenceClassification": ("classification",),
    "DistilBertForMultipleChoice": ("choice",),
    "DistilBertForTokenClassification": ("tokens",),
    "DistilBertForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("DistilBertModel",)
  objective: ClassVar[str] = "mlm"
  ignored: ClassVar[tuple[str, ...]] = (r"embeddings\.position_ids$",)

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(_SECOND_NAMES)
    return Trunk(
      architecture="encoder",
      vocabulary=fields.integer("vocab_size", 30522),
      width=fields.integer("dim", 768),
      layers=fields.count_of_layers("n_layers", 6),
      heads=fields.integer("n_heads", 12),
      feedforward=fields.integer("hidden_dim", 3072),
      activation=fields.activation("activation", "gelu"),
      max_positions=fields.integer("max_position_embeddings", 512),
      norm_placement="post",
      norm_epsilon=_EPSILON,
      embedding_norm=True,
      positions="learned",
      bias=True,
      tied=fields.flag("tie_word_embeddings", True),
      output_bias=True,
      output_transform=True,
      dropout=fields.number("dropout", 0.1),
      attention_dropout=fields.number("attention_dropout", 0.1),
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    return {
      "vocab_size": trunk.vocabulary,
      "dim": trunk.width,
      "n_layers": trunk.layers,
      "n_heads": trunk.heads,
      "hidden_dim": trunk.feedforward,
      "activation": ACTIVATION_NAMES.get(trunk.activation, "gelu"),
      "max_position_embeddings": trunk.max_positions,
      "tie_word_embeddings": trunk.tied,
      "dropout": trunk.dropout,
      "attention_dropout": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "classification": Head(labels, "first", "relu"),
      "choice": Head(1, "first", "relu"),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    for part in ("word", "position"):
      ours = "embedding" if part == "word" else f"{part}_embedding"
      yield from same(
        f"embeddings.{part}_embeddings.weight", f"{EMBEDDER}.{ours}"
      )
    yield from norm("embeddings.LayerNorm", f"{EMBEDDER}.norm")
    for i in range(trunk.layers):
      theirs, ours = f"transformer.layer.{i}", f"{BLOCKS}.layer_{i}"
      for part, name in (
        ("q", "query"),
        ("k", "key"),
        ("v", "value"),
        ("out", "out"),
      ):
        yield from linear(
          f"{theirs}.attention.{part}_lin", f"{ours}.attention.{name}"
        )
      yield from norm(f"{theirs}.sa_layer_norm", f"{ours}.attention_norm")
      yield from linear(f"{theirs}.ffn.lin1", f"{ours}.feedforward.up")
      yield from linear(f"{theirs}.ffn.lin2", f"{ours}.feedforward.down")
      yield from norm(f"{theirs}.output_layer_norm", f"{ours}.feedforward_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from linear("vocab_transform", f"{OUTPUT}.transform", top=True)
      yield from norm("vocab_layer_norm", f"{OUTPUT}.norm", top=True)
      yield from same("vocab_projector.bias", f"{OUTPUT}.bias", top=True)
      yield from same("vocab_projector.weight", f"{OUTPUT}.embedding", top=True)
      return
    ours = f"heads_{name}"
    yield from linear("pre_classifier", f"{ours}.dense", top=True)
    theirs = "qa_outputs" if name == "span" else "classifier"
    yield from linear(theirs, f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    table = f"{self.prefix}embeddings.word_embeddings.weight"
    return {"vocab_projector.weight": table}

  def tokens(self, specials: Specials) -> dict[str, int]:
    return token_ids(pad_token_id=specials.pad)
