"""LLaMA (Touvron et al. 2023) up to 3.2, and what is built as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row, has_bias
from lm_jax.families.base import (
  ATTENTION,
  BLOCKS,
  EMBEDDER,
  MLP,
  VOCABULARY,
  Family,
)
from lm_jax.types import Head, Trunk

# By the activation of the gate; an export writes the first.
GATES: Mapping[str, Any] = {
  "silu": "swiglu",
  "swish": "swiglu",
  "gelu": "geglu_exact",
  "gelu_pytorch_tanh": "geglu",
  "gelu_new": "geglu",
  "relu": "reglu",
}
# Kinds of scaled wavelengths, and how many numbers Trunk.rotary_scaling has.
SCALINGS = {"default": 0, "linear": 1, "llama3": 4}


def _read_rotary(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  """Returns Trunk.rotary_base and Trunk.rotary_scaling.

  Older files have rope_theta beside rope_scaling, and "type" in it.
  """
  old = fields.mapping("rope_scaling")
  rope = old if old.values else fields.mapping("rope_parameters")
  for place in (fields, rope):
    place.require(partial_rotary_factor=1.0)
  base = rope.number("rope_theta", fields.number("rope_theta", 10000.0))
  key = "rope_type" if "rope_type" in rope.values else "type"
  numbers = rope.choice(key, SCALINGS, "default")
  if numbers == SCALINGS["default"]:
    return {"rotary_base": base}
  factor = rope.number("factor")
  if not factor:
    raise rope.error("factor", "a number above 0")
  if numbers == SCALINGS["linear"]:
    return {"rotary_base": base, "rotary_scaling": (factor,)}
  length = rope.integer("original_max_position_embeddings", trunk.max_positions)
  length = fields.integer("original_max_position_embeddings", length)
  low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
  if not 0 < low < high:
    raise rope.error("low_freq_factor", f"above 0 and below {high}")
  scaling = (factor, low, high, float(length))
  return {"rotary_base": base, "rotary_scaling": scaling}


def _write_rotary(trunk: Trunk) -> dict[str, Any]:
  rope: dict[str, Any] = {
    "rope_type": "default",
    "rope_theta": trunk.rotary_base,
  }
  scaling = trunk.rotary_scaling
  if scaling:
    rope |= {"rope_type": "linear", "factor": scaling[0]}
  if len(scaling) == SCALINGS["llama3"]:
    rope |= {
      "rope_type": "llama3",
      "low_freq_factor": scaling[1],
      "high_freq_factor": scaling[2],
      "original_max_position_embeddings": int(scaling[3]),
    }
  return rope


def _read_biases(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  has = (
    *ATTENTION * fields.flag("attention_bias", False),
    *MLP * fields.flag("mlp_bias", False),
  )
  every = has == ATTENTION + MLP
  return {"bias": every, "bias_except": () if every else has}


class Llama(Family):
  """Transformers' LlamaModel: rotary, RMSNorm, gated, grouped-query."""

  title = "LLaMA"
  model_types = ("llama",)
  template = _template.LLAMA
  prefix = "model."
  prefixes: ClassVar[Mapping[str, str]] = {
    "LlamaForQuestionAnswering": "transformer."
  }
  token_defaults: ClassVar[Mapping[str, int]] = {
    "bos_token_id": 1,
    "eos_token_id": 2,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "LlamaForCausalLM": (VOCABULARY,),
    "LlamaModel": (),
    "LlamaForSequenceClassification": ("classification",),
    "LlamaForTokenClassification": ("tokens",),
    "LlamaForQuestionAnswering": ("span",),
  }
  objective = "clm"
  # Wavelengths, which old files hold as buffers.
  ignored = (r"rotary_emb\.inv_freq$",)
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 32000),
    "hidden_size": Row("width", 4096),
    "num_hidden_layers": Row("layers", 32),
    "num_attention_heads": Row("heads", 32, divides="width"),
    "num_key_value_heads": Row(
      "kv_heads", lambda t: t.heads, lambda t: t.heads, divides="heads"
    ),
    "head_dim": Row(
      "head_width", lambda t: t.width // t.heads, lambda t: t.width // t.heads
    ),
    "intermediate_size": Row("feedforward", 11008),
    "hidden_act": Row("activation", "silu", names=GATES),
    "max_position_embeddings": Row("max_positions", 2048, zero=2048),
    "rms_norm_eps": Row("norm_epsilon", 1e-6),
    "rope_parameters": Row(read=_read_rotary, write=_write_rotary),
    "attention_bias": Row(
      read=_read_biases, write=lambda t: has_bias(t, *ATTENTION)
    ),
    "mlp_bias": Row(write=lambda t: has_bias(t, *MLP)),
    "tie_word_embeddings": Row("tied", False),
    "attention_dropout": Row("attention_dropout", 0.0),
    "initializer_range": Row("initializer_range", 0.02),
  }
  fixed = Trunk(
    architecture="causal_decoder", norm="rmsnorm", positions="rotary"
  )
  first: ClassVar[Mapping[str, str]] = {"embed_tokens": f"{EMBEDDER}.embedding"}
  layer = "layers.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.o_proj": "attention.out",
    "post_attention_layernorm": "feedforward_norm",
    "mlp.gate_proj": "feedforward.gate",
    "mlp.up_proj": "feedforward.up",
    "mlp.down_proj": "feedforward.down",
  }
  last: ClassVar[Mapping[str, str]] = {"norm": f"{BLOCKS}.final_norm"}
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = dict.fromkeys(
    ("classification", "tokens"), ("", "score")
  )
  text_head = Head(0, "last", bias=False)

  def heads(self, fields: Fields) -> dict[str, Head]:
    bias = fields.flag("token_classification_bias", True)
    tokens = Head(fields.labels(), bias=bias)
    return super().heads(fields) | {"tokens": tokens}
