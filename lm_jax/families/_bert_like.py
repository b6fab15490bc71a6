"""The tables that the encoders after BERT have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import EMBEDDER, Family
from lm_jax.types import Head, Trunk


class BertLike(Family):
  """An encoder: post-norm, learned positions, token types, a transform."""

  objective = "mlm"
  token_defaults: ClassVar[Mapping[str, int]] = {"pad_token_id": 0}
  token_keys: ClassVar[Mapping[str, str]] = {"pad_token_id": "pad"}
  ignored = (r"embeddings\.position_ids$",)
  required: ClassVar[Mapping[str, Any]] = {
    "position_embedding_type": "absolute",
    "is_decoder": False,
    "add_cross_attention": False,
  }
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 30522),
    "hidden_size": Row("width", 768),
    "num_hidden_layers": Row("layers", 12),
    "num_attention_heads": Row("heads", 12),
    "intermediate_size": Row("feedforward", 3072),
    "hidden_act": Row("activation", "gelu"),
    "max_position_embeddings": Row("max_positions", 512),
    "type_vocab_size": Row("token_types", 2, zero=2),
    "layer_norm_eps": Row("norm_epsilon", 1e-12),
    "tie_word_embeddings": Row("tied", True),
    "hidden_dropout_prob": Row("dropout", 0.1),
    "attention_probs_dropout_prob": Row("attention_dropout", 0.1),
    "initializer_range": Row("initializer_range", 0.02),
  }
  fixed = Trunk(
    architecture="encoder",
    norm_placement="post",
    embedding_norm=True,
    positions="learned",
    bias=True,
    output_bias=True,
    output_transform=True,
  )
  first: ClassVar[Mapping[str, str]] = {
    "embeddings.word_embeddings": f"{EMBEDDER}.embedding",
    "embeddings.position_embeddings": f"{EMBEDDER}.position_embedding",
    "embeddings.token_type_embeddings": f"{EMBEDDER}.type_embedding",
    "embeddings.LayerNorm": f"{EMBEDDER}.norm",
  }
  layer = "encoder.layer.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.out",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "feedforward.up",
    "output.dense": "feedforward.down",
    "output.LayerNorm": "feedforward_norm",
  }
  text_head = Head(0, "first", "tanh")

  def heads(self, fields: Fields) -> dict[str, Head]:
    return super().heads(fields) | {"pooler": self.text_head}
