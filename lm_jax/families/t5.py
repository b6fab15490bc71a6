"""T5 (Raffel et al. 2020), version 1.1 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import ACTIVATION_NAMES, ACTIVATIONS, Fields
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
from lm_jax.models.layers import GATED
from lm_jax.models.transformer import encoder_of
from lm_jax.types import Head, Specials, Trunk

_GATES = {plain: gated for gated, plain in GATED.items()}
# Their feed_forward_proj, and our activation.
_PROJECTIONS: dict[str, Any] = {
  **ACTIVATIONS,
  **{f"gated-{k}": _GATES[v] for k, v in ACTIVATIONS.items() if v in _GATES},
  # That of the releases, whatever "gelu" is elsewhere.
  "gated-gelu": "geglu",
}
_PROJECTION_NAMES = {
  **ACTIVATION_NAMES,
  "reglu": "gated-relu",
  "swiglu": "gated-silu",
  "geglu": "gated-gelu",
  "geglu_exact": "gated-gelu_python",
}
# Transformers' second names of fields.
_SECOND_NAMES = {
  "hidden_size": "d_model",
  "num_attention_heads": "num_heads",
  "num_hidden_layers": "num_layers",
  "head_dim": "d_kv",
}


class T5(Family):
  """Transformers' T5Model: pre-norm, RMSNorm, told distances, no biases.

  Version 1.0 divides states by sqrt(width) and ties the output to the
  embeddings, 1.1 does neither. Transformers of today writes that they are
  tied whether or not they are: the file tells.

  Its heads read the decoder, which reads the encoder's input shifted by one.
  """

  title: ClassVar[str] = "T5"
  model_types: ClassVar[tuple[str, ...]] = ("t5",)
  template: ClassVar[Template] = _template.T5
  prefix: ClassVar[str] = "transformer."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "T5ForConditionalGeneration": (VOCABULARY,),
    "T5WithLMHeadModel": (VOCABULARY,),  # what it was called
    "T5Model": (),
    "T5ForSequenceClassification": ("classification",),
    "T5ForQuestionAnswering": ("span",),
    "T5EncoderModel": (),
    "T5ForTokenClassification": ("tokens",),
  }
  base_classes: ClassVar[tuple[str, ...]] = (
    "T5Model",
    "T5EncoderModel",
    "T5ForConditionalGeneration",
    "T5WithLMHeadModel",
    "T5ForQuestionAnswering",
  )
  encoders: ClassVar[tuple[str, ...]] = (
    "T5EncoderModel",
    "T5ForTokenClassification",
  )
  objective: ClassVar[str] = "span_corruption"
  writes: ClassVar[tuple[str, ...]] = ("span_corruption", "ul2", "prefix_lm")
  # A table of distances that the first cross-attention does not use.
  ignored: ClassVar[tuple[str, ...]] = (
    r"EncDecAttention\.relative_attention_bias\.weight$",
  )

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(_SECOND_NAMES)
    fields.require("is_decoder", False)
    width = fields.integer("d_model", 512)
    layers = fields.count_of_layers("num_layers", 6)
    factor = fields.number("initializer_factor", 1.0)
    dropout = fields.number("dropout_rate", 0.1)
    tied = fields.flag("tie_word_embeddings", True)
    return Trunk(
      architecture="encoder_decoder",
      vocabulary=fields.integer("vocab_size", 32128),
      width=width,
      layers=fields.count_of_layers("num_decoder_layers", layers),
      encoder_layers=layers,
      heads=fields.integer("num_heads", 8),
      head_width=fields.integer("d_kv", 64),
      feedforward=fields.integer("d_ff", 2048),
      activation=_projection(fields),
      max_positions=fields.integer("n_positions", 512),
      norm="rmsnorm",
      norm_epsilon=fields.number("layer_norm_epsilon", 1e-6),
      positions="relative",
      relative_buckets=fields.integer("relative_attention_num_buckets", 32),
      relative_distance=fields.integer("relative_attention_max_distance", 128),
      attention_scaling=False,
      tied=tied,
      output_scaling=fields.flag("scale_decoder_outputs", tied),
      dropout=dropout,
      attention_dropout=dropout,
      initializer_range=factor * width**-0.5,
      embedding_range=factor,
    )

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    return trunk, dataclasses.replace(trunk, tied=not trunk.tied)

  def config(self, trunk: Trunk) -> dict[str, Any]:
    paired = trunk.architecture == "encoder_decoder"
    return {
      "is_encoder_decoder": paired,
      "vocab_size": trunk.vocabulary,
      "d_model": trunk.width,
      "num_layers": encoder_of(trunk).layers if paired else trunk.layers,
      "num_decoder_layers": trunk.layers,
      "num_heads": trunk.heads,
      "d_kv": trunk.head_width or trunk.width // trunk.heads,
      "d_ff": trunk.feedforward,
      "feed_forward_proj": _PROJECTION_NAMES[trunk.activation],
      "n_positions": trunk.max_positions or 512,
      "layer_norm_epsilon": trunk.norm_epsilon,
      "relative_attention_num_buckets": trunk.relative_buckets,
      "relative_attention_max_distance": trunk.relative_distance,
      "tie_word_embeddings": trunk.tied,
      "scale_decoder_outputs": trunk.output_scaling,
      "dropout_rate": trunk.dropout,
      "initializer_factor": trunk.embedding_range or 1.0,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "classification": Head(labels, "end", "tanh"),
      "span": Head(2),
      "tokens": Head(labels),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from same("shared.weight", f"{EMBEDDER}.embedding")
    if trunk.architecture != "encoder_decoder":
      yield from _stack("encoder", BLOCKS, trunk.layers, trunk)
      return
    yield from _stack("encoder", ENCODER, encoder_of(trunk).layers, trunk)
    yield from _stack("decoder", BLOCKS, trunk.layers, trunk)

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    ours = f"heads_{name}"
    if name == VOCABULARY:
      yield from same("lm_head.weight", f"{OUTPUT}.embedding", top=True)
    elif name == "classification":
      for theirs, part in (("dense", "dense"), ("out_proj", "out")):
        yield from linear(
          f"classification_head.{theirs}", f"{ours}.{part}", top=True
        )
    else:
      theirs = {"span": "qa_outputs", "tokens": "classifier"}[name]
      yield from linear(theirs, f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    found = {
      f"{prefix}{stack}.embed_tokens.weight": f"{prefix}shared.weight"
      for prefix in ("", self.prefix)
      for stack in ("encoder", "decoder")
    }
    return found | ({"lm_head.weight": "shared.weight"} if trunk.tied else {})

  def tokens(self, specials: Specials) -> dict[str, int]:
    return token_ids(
      pad_token_id=specials.pad,
      eos_token_id=specials.end,
      decoder_start_token_id=specials.start,
    )


def _stack(
  theirs: str, ours: str, layers: int, trunk: Trunk
) -> Iterable[Tensor]:
  """The encoder or the decoder, whose layers have a third part."""
  distances = "layer.0.SelfAttention.relative_attention_bias.weight"
  yield from same(
    f"{theirs}.block.0.{distances}", f"{ours}.relative.relative_bias"
  )
  feedforward = [("wi", "up"), ("wo", "down")]
  if trunk.activation in GATED:
    feedforward = [("wi_0", "gate"), ("wi_1", "up"), ("wo", "down")]
  parts = [("attention", "SelfAttention")]
  if theirs == "decoder":
    parts.append(("cross_attention", "EncDecAttention"))
  for i in range(layers):
    layer = f"{ours}.layer_{i}"
    for j, (name, called) in enumerate(parts):
      block = f"{theirs}.block.{i}.layer.{j}"
      yield from norm(f"{block}.layer_norm", f"{layer}.{name}_norm")
      for part in ("query", "key", "value", "out"):
        yield from linear(
          f"{block}.{called}.{part[0]}", f"{layer}.{name}.{part}"
        )
    block = f"{theirs}.block.{i}.layer.{len(parts)}"
    yield from norm(f"{block}.layer_norm", f"{layer}.feedforward_norm")
    for their, our in feedforward:
      yield from linear(
        f"{block}.DenseReluDense.{their}", f"{layer}.feedforward.{our}"
      )
  yield from norm(f"{theirs}.final_layer_norm", f"{ours}.final_norm")


def _projection(fields: Fields) -> Any:
  """Our activation; what follows from its name may be told again."""
  found = fields.choice("feed_forward_proj", _PROJECTIONS, "relu")
  fields.require("is_gated_act", found in GATED)
  if fields.values.get("dense_act_fn") is not None:
    plain = fields.activation("dense_act_fn")
    if found not in (plain, _GATES.get(plain)):
      raise fields.error("dense_act_fn", "what feed_forward_proj says")
  return found
