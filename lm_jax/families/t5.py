"""T5 (Raffel et al. 2020), version 1.1 too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template, base
from lm_jax.families._fields import ACTIVATIONS, Fields
from lm_jax.families._table import Row
from lm_jax.models.layers import GATED
from lm_jax.models.transformer import encoder_of
from lm_jax.types import Head, Trunk

_GATES = {plain: gated for gated, plain in GATED.items()}
# The names in feed_forward_proj, and our activation.
_PROJECTIONS: dict[str, Any] = {
  **ACTIVATIONS,
  **{f"gated-{k}": _GATES[v] for k, v in ACTIVATIONS.items() if v in _GATES},
  # That of the releases, whatever "gelu" is elsewhere.
  "gated-gelu": "geglu",
}


def _read_activation(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  """Reads feed_forward_proj; other keys may repeat what follows from it."""
  name = fields.choice("feed_forward_proj", _PROJECTIONS, "relu")
  fields.require(is_gated_act=name in GATED)
  if fields.values.get("dense_act_fn") is not None:
    plain = fields.activation("dense_act_fn")
    if name not in (plain, _GATES.get(plain)):
      raise fields.error("dense_act_fn", "what feed_forward_proj says")
  return {"activation": name}


def _read_factor(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  factor = fields.number("initializer_factor", 1.0)
  return {
    "initializer_range": factor * trunk.width**-0.5,
    "embedding_range": factor,
  }


def _is_paired(trunk: Trunk) -> bool:
  return trunk.architecture == "encoder_decoder"


def _encoder_layers(trunk: Trunk) -> int:
  return encoder_of(trunk).layers if _is_paired(trunk) else trunk.layers


def _attention(name: str, ours: str) -> dict[str, str]:
  parts = {f"{name}.{x[0]}": f"{ours}.{x}" for x in _ATTENTION}
  return {"layer_norm": f"{ours}_norm", **parts}


_ATTENTION = ("query", "key", "value", "out")


class T5(base.Family):
  """Transformers' T5Model: pre-norm, RMSNorm, relative distances, no biases.

  Version 1.0 divides states by sqrt(width) and ties the output to the
  embeddings, 1.1 does neither. Transformers of today writes that they are
  tied whether or not they are: the file tells.

  Its heads read the decoder, which reads the encoder's input shifted by one.
  """

  title = "T5"
  model_types = ("t5",)
  template = _template.T5
  prefix = "transformer."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
    "eos_token_id": 1,
    "decoder_start_token_id": 0,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "T5ForConditionalGeneration": (base.VOCABULARY,),
    "T5WithLMHeadModel": (base.VOCABULARY,),  # what it was called
    "T5Model": (),
    "T5ForSequenceClassification": ("classification",),
    "T5ForQuestionAnswering": ("span",),
    "T5EncoderModel": (),
    "T5ForTokenClassification": ("tokens",),
  }
  base_classes: ClassVar[tuple[str, ...]] = (
    "T5ForConditionalGeneration",
    "T5WithLMHeadModel",
    "T5ForQuestionAnswering",
  )
  encoders: ClassVar[tuple[str, ...]] = (
    "T5EncoderModel",
    "T5ForTokenClassification",
  )
  token_keys: ClassVar[Mapping[str, str]] = {
    "pad_token_id": "pad",
    "eos_token_id": "end",
    "decoder_start_token_id": "start",
  }
  objective = "span_corruption"
  writes: ClassVar[tuple[str, ...]] = ("span_corruption", "ul2", "prefix_lm")
  # A table of distances that the first cross-attention does not use.
  ignored: ClassVar[tuple[str, ...]] = (
    r"EncDecAttention\.relative_attention_bias\.weight$",
  )

  rows: ClassVar[Mapping[str, Row]] = {
    "is_encoder_decoder": Row(write=_is_paired),
    "vocab_size": Row("vocabulary", 32128),
    "d_model": Row("width", 512),
    "num_layers": Row("encoder_layers", 6, write=_encoder_layers),
    "num_decoder_layers": Row("layers", lambda t: t.encoder_layers),
    "num_heads": Row("heads", 8),
    "d_kv": Row("head_width", 64, zero=lambda t: t.width // t.heads),
    "d_ff": Row("feedforward", 2048),
    "feed_forward_proj": Row(
      "activation", names=_PROJECTIONS, read=_read_activation
    ),
    "n_positions": Row("max_positions", 512, zero=512),
    "layer_norm_epsilon": Row("norm_epsilon", 1e-6),
    "relative_attention_num_buckets": Row("relative_buckets", 32),
    "relative_attention_max_distance": Row("relative_distance", 128),
    "tie_word_embeddings": Row("tied", True),
    "scale_decoder_outputs": Row("output_scaling", lambda t: t.tied),
    "dropout_rate": Row("dropout", 0.1, also=("attention_dropout",)),
    "initializer_factor": Row("embedding_range", zero=1.0, read=_read_factor),
  }
  second_names: ClassVar[Mapping[str, str]] = {
    "hidden_size": "d_model",
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
    "head_dim": "d_kv",
  }
  required: ClassVar[Mapping[str, Any]] = {"is_decoder": False}
  fixed = Trunk(
    architecture="encoder_decoder",
    norm="rmsnorm",
    positions="relative",
    attention_scaling=False,
  )
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "classification": (
      "classification_head.dense",
      "classification_head.out_proj",
    ),
  }
  text_head = Head(0, "end", "tanh")

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    return trunk, dataclasses.replace(trunk, tied=not trunk.tied)

  def tensors(self, trunk: Trunk) -> Iterable[base.Tensor]:
    yield from base.same("shared.weight", f"{base.EMBEDDER}.embedding")
    if not _is_paired(trunk):
      yield from _stack("encoder", base.BLOCKS, trunk.layers, trunk)
      return
    yield from _stack("encoder", base.ENCODER, encoder_of(trunk).layers, trunk)
    yield from _stack("decoder", base.BLOCKS, trunk.layers, trunk)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    head = {"lm_head.weight": "shared.weight"} if trunk.tied else {}
    return base.stack_tables("", self.prefix) | head


def _stack(
  theirs: str, ours: str, layers: int, trunk: Trunk
) -> Iterable[base.Tensor]:
  """Yields the rules of the encoder or the decoder, which has a third part."""
  distances = "layer.0.SelfAttention.relative_attention_bias.weight"
  yield from base.same(
    f"{theirs}.block.0.{distances}", f"{ours}.relative.relative_bias"
  )
  up = {"wi": "up"}
  if trunk.activation in GATED:
    up = {"wi_0": "gate", "wi_1": "up"}
  feedforward = {
    f"DenseReluDense.{name}": f"feedforward.{our}"
    for name, our in {**up, "wo": "down"}.items()
  }
  parts = [
    _attention("SelfAttention", "attention"),
    {"layer_norm": "feedforward_norm", **feedforward},
  ]
  if theirs == "decoder":
    parts.insert(1, _attention("EncDecAttention", "cross_attention"))
  for i in range(layers):
    for j, part in enumerate(parts):
      block = f"{theirs}.block.{i}.layer.{j}."
      yield from base.modules(block, f"{ours}.layer_{i}.", part)
  yield from base.modules(
    f"{theirs}.", f"{ours}.", {"final_layer_norm": "final_norm"}
  )
