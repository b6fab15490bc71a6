"""BART (Lewis et al. 2020)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import ACTIVATION_NAMES, Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  BLOCKS,
  EMBEDDER,
  ENCODER,
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
  token_ids,
)
from lm_jax.models.transformer import encoder_of
from lm_jax.types import Head, Specials, Trunk

_STACKS = {"encoder": ENCODER, "decoder": BLOCKS}
# Transformers' second names of fields.
_SECOND_NAMES = {
  "num_attention_heads": "encoder_attention_heads",
  "hidden_size": "d_model",
  "num_hidden_layers": "encoder_layers",
}


class Bart(Family):
  """Transformers' BartModel: post-norm, learned positions in each stack.

  The encoder and the decoder have position tables and a norm of the
  embeddings of their own, and one table of tokens. Its heads read the
  decoder, which reads the encoder's input shifted by one.
  """

  title: ClassVar[str] = "BART"
  model_types: ClassVar[tuple[str, ...]] = ("bart",)
  template: ClassVar[Template] = _template.ROBERTA
  prefix: ClassVar[str] = "model."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "BartForConditionalGeneration": (VOCABULARY,),
    "BartModel": (),
    "BartForSequenceClassification": ("classification",),
    "BartForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("BartModel",)
  objective: ClassVar[str] = "denoising"
  writes: ClassVar[tuple[str, ...]] = ("denoising",)
  ignored: ClassVar[tuple[str, ...]] = (r"(encoder|decoder)\.version$",)
  # Classes where a configuration tells none.
  labels: ClassVar[int] = 3

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(_SECOND_NAMES)
    fields.require("is_decoder", False)
    fields.require("is_encoder_decoder", True)
    return Trunk(
      architecture="encoder_decoder",
      vocabulary=fields.integer("vocab_size", 50265),
      width=fields.integer("d_model", 1024),
      layers=fields.count_of_layers("decoder_layers", 12),
      heads=fields.integer("decoder_attention_heads", 16),
      feedforward=fields.integer("decoder_ffn_dim", 4096),
      encoder_layers=fields.count_of_layers("encoder_layers", 12),
      encoder_heads=fields.integer("encoder_attention_heads", 16),
      encoder_feedforward=fields.integer("encoder_ffn_dim", 4096),
      activation=fields.activation("activation_function", "gelu"),
      max_positions=fields.integer("max_position_embeddings", 1024),
      norm_placement="post",
      embedding_norm=True,
      embedding_scaling=fields.flag("scale_embedding", False),
      encoder_embeddings=True,
      positions="learned",
      position_offset=2,
      bias=True,
      tied=fields.flag("tie_word_embeddings", True),
      output_bias=True,
      dropout=fields.number("dropout", 0.1),
      attention_dropout=fields.number("attention_dropout", 0.0),
      initializer_range=fields.number("init_std", 0.02),
    )

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    # A file may go without the output's bias, which is 0 then.
    return trunk, dataclasses.replace(trunk, output_bias=False)

  def config(self, trunk: Trunk) -> dict[str, Any]:
    encoder = encoder_of(trunk)
    return {
      "vocab_size": trunk.vocabulary,
      "d_model": trunk.width,
      "decoder_layers": trunk.layers,
      "decoder_attention_heads": trunk.heads,
      "decoder_ffn_dim": trunk.feedforward,
      "encoder_layers": encoder.layers,
      "encoder_attention_heads": encoder.heads,
      "encoder_ffn_dim": encoder.feedforward,
      "activation_function": ACTIVATION_NAMES.get(trunk.activation, "gelu"),
      "max_position_embeddings": trunk.max_positions or 1024,
      "scale_embedding": trunk.embedding_scaling,
      "tie_word_embeddings": trunk.tied,
      "dropout": trunk.dropout,
      "attention_dropout": trunk.attention_dropout,
      "init_std": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.otherwise(num_labels=self.labels).labels()
    return {
      "classification": Head(labels, "end", "tanh"),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from same("shared.weight", f"{EMBEDDER}.embedding")
    for stack, prefix in (("encoder", "encoder_"), ("decoder", "")):
      yield from same(
        f"{stack}.embed_positions.weight",
        f"{EMBEDDER}.{prefix}position_embedding",
      )
      yield from norm(
        f"{stack}.layernorm_embedding", f"{EMBEDDER}.{prefix}norm"
      )
    counts = {"encoder": encoder_of(trunk).layers, "decoder": trunk.layers}
    for stack, home in _STACKS.items():
      for i in range(counts[stack]):
        yield from _layer(f"{stack}.layers.{i}", f"{home}.layer_{i}")
      yield from norm(f"{stack}.layer_norm", f"{home}.final_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    ours = f"heads_{name}"
    if name == VOCABULARY:
      yield from same("lm_head.weight", f"{OUTPUT}.embedding", top=True)
      yield from same(
        "final_logits_bias",
        f"{OUTPUT}.bias",
        shape=(1, trunk.vocabulary),
        top=True,
      )
    elif name == "classification":
      for theirs, part in (("dense", "dense"), ("out_proj", "out")):
        yield from linear(
          f"classification_head.{theirs}", f"{ours}.{part}", top=True
        )
    else:
      yield from linear("qa_outputs", f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    found = _tables(self.prefix)
    if trunk.tied:
      found["lm_head.weight"] = f"{self.prefix}shared.weight"
    return found

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    # Untied, each stack of theirs has a table of tokens of its own.
    return {} if trunk.tied else _tables(self.prefix)

  def tokens(self, specials: Specials) -> dict[str, int]:
    return super().tokens(specials) | token_ids(
      decoder_start_token_id=specials.start
    )


def _tables(prefix: str) -> dict[str, str]:
  return {
    f"{before}{stack}.embed_tokens.weight": f"{before}shared.weight"
    for before in ("", prefix)
    for stack in _STACKS
  }


def _layer(theirs: str, ours: str) -> Iterable[Tensor]:
  """Of either stack; a norm stands with each part, the last one's too."""
  for their, our in (
    ("self_attn", "attention"),
    ("encoder_attn", "cross_attention"),
  ):
    for part in ("query", "key", "value"):
      yield from linear(
        f"{theirs}.{their}.{part[0]}_proj", f"{ours}.{our}.{part}"
      )
    yield from linear(f"{theirs}.{their}.out_proj", f"{ours}.{our}.out")
    yield from norm(f"{theirs}.{their}_layer_norm", f"{ours}.{our}_norm")
  yield from linear(f"{theirs}.fc1", f"{ours}.feedforward.up")
  yield from linear(f"{theirs}.fc2", f"{ours}.feedforward.down")
  yield from norm(f"{theirs}.final_layer_norm", f"{ours}.feedforward_norm")
