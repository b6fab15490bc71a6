"""What the encoders after BERT have in common: fields, tables and layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lm_jax.families._fields import ACTIVATION_NAMES, Fields
from lm_jax.families.base import (
  BLOCKS,
  EMBEDDER,
  Tensor,
  linear,
  norm,
  same,
)
from lm_jax.types import Trunk

_DEFAULTS: dict[str, Any] = {
  "vocab_size": 30522,
  "hidden_size": 768,
  "num_attention_heads": 12,
  "intermediate_size": 3072,
  "hidden_act": "gelu",
  "hidden_dropout_prob": 0.1,
  "attention_probs_dropout_prob": 0.1,
}


def trunk(fields: Fields, **defaults: Any) -> Trunk:
  """An encoder: post-norm, learned positions, token types, a transform.

  Args:
    fields: of a configuration.
    defaults: of a family where they are not BERT's, by field.
  """
  fields.require("position_embedding_type", "absolute")
  fields.require("is_decoder", False)
  fields.require("add_cross_attention", False)
  values = _DEFAULTS | defaults
  return Trunk(
    architecture="encoder",
    vocabulary=fields.integer("vocab_size", values["vocab_size"]),
    width=fields.integer("hidden_size", values["hidden_size"]),
    layers=fields.count_of_layers("num_hidden_layers", 12),
    heads=fields.integer("num_attention_heads", values["num_attention_heads"]),
    feedforward=fields.integer(
      "intermediate_size", values["intermediate_size"]
    ),
    activation=fields.activation("hidden_act", values["hidden_act"]),
    max_positions=fields.integer("max_position_embeddings", 512),
    token_types=fields.integer("type_vocab_size", 2),
    norm_placement="post",
    norm_epsilon=fields.number("layer_norm_eps", 1e-12),
    embedding_norm=True,
    positions="learned",
    bias=True,
    tied=fields.flag("tie_word_embeddings", True),
    output_bias=True,
    output_transform=True,
    dropout=fields.number("hidden_dropout_prob", values["hidden_dropout_prob"]),
    attention_dropout=fields.number(
      "attention_probs_dropout_prob", values["attention_probs_dropout_prob"]
    ),
    initializer_range=fields.number("initializer_range", 0.02),
  )


def config(trunk: Trunk) -> dict[str, Any]:
  """The fields that `trunk` reads."""
  return {
    "vocab_size": trunk.vocabulary,
    "hidden_size": trunk.width,
    "num_hidden_layers": trunk.layers,
    "num_attention_heads": trunk.heads,
    "intermediate_size": trunk.feedforward,
    "hidden_act": ACTIVATION_NAMES.get(trunk.activation, "gelu"),
    "max_position_embeddings": trunk.max_positions,
    "type_vocab_size": trunk.token_types or 2,
    "layer_norm_eps": trunk.norm_epsilon,
    "tie_word_embeddings": trunk.tied,
    "hidden_dropout_prob": trunk.dropout,
    "attention_probs_dropout_prob": trunk.attention_dropout,
    "initializer_range": trunk.initializer_range,
  }


def embeddings() -> Iterable[Tensor]:
  """The tables and their norm."""
  for theirs, ours in (
    ("word", "embedding"),
    ("position", "position_embedding"),
    ("token_type", "type_embedding"),
  ):
    yield from same(
      f"embeddings.{theirs}_embeddings.weight", f"{EMBEDDER}.{ours}"
    )
  yield from norm("embeddings.LayerNorm", f"{EMBEDDER}.norm")


def layers(trunk: Trunk) -> Iterable[Tensor]:
  """BERT's own, which RoBERTa and ELECTRA kept."""
  for i in range(trunk.layers):
    theirs, ours = f"encoder.layer.{i}", f"{BLOCKS}.layer_{i}"
    for part in ("query", "key", "value"):
      yield from linear(
        f"{theirs}.attention.self.{part}", f"{ours}.attention.{part}"
      )
    yield from linear(
      f"{theirs}.attention.output.dense", f"{ours}.attention.out"
    )
    yield from norm(
      f"{theirs}.attention.output.LayerNorm", f"{ours}.attention_norm"
    )
    yield from linear(f"{theirs}.intermediate.dense", f"{ours}.feedforward.up")
    yield from linear(f"{theirs}.output.dense", f"{ours}.feedforward.down")
    yield from norm(f"{theirs}.output.LayerNorm", f"{ours}.feedforward_norm")
