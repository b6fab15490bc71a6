"""Defines sizes of the common trunk, and the published shapes."""

from __future__ import annotations

import dataclasses
from typing import Any

from lm_jax.types import Architecture, Trunk


def _size(layers: int, width: int, heads: int) -> Trunk:
  return Trunk(layers=layers, width=width, heads=heads, feedforward=4 * width)


# small, base and large are the layers and widths of the published models.
SIZES: dict[str, Trunk] = {
  "nano": _size(2, 64, 2),
  "tiny": _size(4, 128, 4),
  "small": _size(12, 256, 4),
  "base": _size(12, 768, 12),
  "large": _size(24, 1024, 16),
}

# Published models with the same layers and width.
NAMESAKES: dict[str, str] = {
  "nano": "none: for quick answers",
  "tiny": "none: BERT-mini's depth, BERT-tiny's width",
  "small": "ELECTRA-small, but for its narrow embedding",
  "base": "BERT-base, GPT-2, XLNet-base, T5-base",
  "large": "BERT-large, GPT-2 medium, XLNet-large",
  "bert": "BERT-base",
  "roberta": "RoBERTa-base",
  "albert": "ALBERT-base",
  "gpt2": "GPT-2, 124 M parameters",
  "electra": "ELECTRA-small",
  "xlnet": "XLNet-base",
  "t5": "T5-base",
  "bart": "BART-base",
}


def _like(trunk: Trunk, **changes) -> Trunk:
  return dataclasses.replace(trunk, **changes)


_BASE = _like(SIZES["base"], dropout=0.1, attention_dropout=0.1)
_BERT = _like(
  _BASE,
  norm_placement="post",
  norm_epsilon=1e-12,
  embedding_norm=True,
  positions="learned",
  activation="gelu",
  bias=True,
  token_types=2,
  output_bias=True,
  output_transform=True,
)

# Published shapes: --trunk.preset=bert.
PRESETS: dict[str, Trunk] = {
  "bert": _BERT,
  # lm_jax's tokenizers pad with 0, and positions begin after it.
  "roberta": _like(_BERT, token_types=1, norm_epsilon=1e-5, position_offset=1),
  "albert": _like(
    _BERT,
    embedding_width=128,
    sharing=(0,) * 12,
    activation="gelu_tanh",
    dropout=0.0,
    attention_dropout=0.0,
  ),
  "gpt2": _like(_BASE, positions="learned", activation="gelu_tanh", bias=True),
  "electra": _like(
    _BERT, width=256, heads=4, feedforward=1024, embedding_width=128
  ),
  "xlnet": _like(
    _BASE,
    norm_placement="post",
    norm_epsilon=1e-12,
    positions="xlnet",
    query_embedding=True,
    activation="gelu",
    bias=True,
    bias_except=("qkv", "out"),
    output_bias=True,
  ),
  "t5": _like(
    _BASE,
    norm="rmsnorm",
    norm_epsilon=1e-6,
    positions="relative",
    activation="relu",
    attention_scaling=False,
    output_scaling=True,
    embedding_range=1.0,
  ),
  "bart": _like(
    _BERT,
    layers=6,
    token_types=0,
    norm_epsilon=1e-5,
    output_transform=False,
    position_offset=2,
    encoder_embeddings=True,
  ),
}

# Architecture of the published models of a preset, as Transformers reads them.
PUBLISHED_AS: dict[str, Architecture] = {
  "bert": "encoder",
  "roberta": "encoder",
  "albert": "encoder",
  "gpt2": "causal_decoder",
  "electra": "encoder",
  "xlnet": "encoder",
  "t5": "encoder_decoder",
  "bart": "encoder_decoder",
}


def shape(preset: str, size: str) -> dict[str, Any]:
  """Returns the fields of Trunk that scale a preset to a size.

  They are those of the published models of that size, if there are any: a stack
  of BART has half the layers of the others, ELECTRA's embedding is narrow in
  its small model only, ALBERT's in all.
  """
  like, published = SIZES[size], PRESETS[preset]
  layers = max(1, like.layers // 2) if preset == "bart" else like.layers
  narrow = published.embedding_width
  if narrow >= like.width or (preset == "electra" and size != "small"):
    narrow = 0
  return {
    "layers": layers,
    "width": like.width,
    "heads": like.heads,
    "feedforward": like.feedforward,
    "embedding_width": narrow,
  }
