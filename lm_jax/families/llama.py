"""LLaMA (Touvron et al. 2023) up to 3.2, and what is built as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import Fields
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
)
from lm_jax.types import Head, Trunk

# By the activation of the gate.
GATES: Mapping[str, Any] = {
  "silu": "swiglu",
  "swish": "swiglu",
  "gelu": "geglu_exact",
  "gelu_new": "geglu",
  "gelu_pytorch_tanh": "geglu",
  "relu": "reglu",
}
GATE_NAMES = {
  "swiglu": "silu",
  "geglu_exact": "gelu",
  "geglu": "gelu_pytorch_tanh",
  "reglu": "relu",
}
# What attention_bias and mlp_bias say of, as Trunk.bias_except has it.
ATTENTION: tuple[Any, ...] = ("qkv", "out")
MLP: tuple[Any, ...] = ("up", "down")
# Kinds of scaled wavelengths, and how many numbers Trunk.rotary_scaling has.
SCALINGS = {"default": 0, "linear": 1, "llama3": 4}


class Llama(Family):
  """Transformers' LlamaModel: rotary, RMSNorm, gated, grouped-query."""

  title: ClassVar[str] = "LLaMA"
  model_types: ClassVar[tuple[str, ...]] = ("llama",)
  template: ClassVar[Template] = _template.LLAMA
  prefix: ClassVar[str] = "model."
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
  base_classes: ClassVar[tuple[str, ...]] = ("LlamaModel",)
  objective: ClassVar[str] = "clm"
  # Wavelengths, which old files hold as buffers.
  ignored: ClassVar[tuple[str, ...]] = (r"rotary_emb\.inv_freq$",)

  def trunk(self, fields: Fields) -> Trunk:
    width = fields.integer("hidden_size", 4096)
    heads = fields.integer("num_attention_heads", 32)
    if width % heads:
      raise fields.error("num_attention_heads", f"a divisor of {width}")
    kv_heads = fields.integer("num_key_value_heads", heads)
    if heads % kv_heads:
      raise fields.error("num_key_value_heads", f"a divisor of {heads}")
    positions = fields.integer("max_position_embeddings", 2048)
    base, scaling = _rotary(fields, positions)
    has = {
      **dict.fromkeys(ATTENTION, fields.flag("attention_bias", False)),
      **dict.fromkeys(MLP, fields.flag("mlp_bias", False)),
    }
    every = all(has.values())
    return Trunk(
      architecture="causal_decoder",
      vocabulary=fields.integer("vocab_size", 32000),
      width=width,
      layers=fields.count_of_layers("num_hidden_layers", 32),
      heads=heads,
      kv_heads=kv_heads,
      head_width=fields.integer("head_dim", width // heads),
      feedforward=fields.integer("intermediate_size", 11008),
      activation=fields.choice("hidden_act", GATES, "silu"),
      max_positions=positions,
      norm="rmsnorm",
      norm_epsilon=fields.number("rms_norm_eps", 1e-6),
      positions="rotary",
      rotary_base=base,
      rotary_scaling=scaling,
      bias=every,
      bias_except=() if every else tuple(name for name in has if has[name]),
      tied=fields.flag("tie_word_embeddings", False),
      attention_dropout=fields.number("attention_dropout", 0),
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
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
    has = {
      name: trunk.bias != (name in trunk.bias_except)
      for name in ATTENTION + MLP
    }
    return {
      "vocab_size": trunk.vocabulary,
      "hidden_size": trunk.width,
      "num_hidden_layers": trunk.layers,
      "num_attention_heads": trunk.heads,
      "num_key_value_heads": trunk.kv_heads or trunk.heads,
      "head_dim": trunk.head_width or trunk.width // trunk.heads,
      "intermediate_size": trunk.feedforward,
      "hidden_act": GATE_NAMES.get(trunk.activation, "silu"),
      "max_position_embeddings": trunk.max_positions or 2048,
      "rms_norm_eps": trunk.norm_epsilon,
      "rope_parameters": rope,
      "attention_bias": all(has[name] for name in ATTENTION),
      "mlp_bias": all(has[name] for name in MLP),
      "tie_word_embeddings": trunk.tied,
      "attention_dropout": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "classification": Head(labels, "last", bias=False),
      "tokens": Head(
        labels, bias=fields.flag("token_classification_bias", True)
      ),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from same("embed_tokens.weight", f"{EMBEDDER}.embedding")
    for i in range(trunk.layers):
      theirs, ours = f"layers.{i}", f"{BLOCKS}.layer_{i}"
      yield from norm(f"{theirs}.input_layernorm", f"{ours}.attention_norm")
      for part, name in (
        ("q_proj", "query"),
        ("k_proj", "key"),
        ("v_proj", "value"),
        ("o_proj", "out"),
      ):
        yield from linear(
          f"{theirs}.self_attn.{part}", f"{ours}.attention.{name}"
        )
      yield from norm(
        f"{theirs}.post_attention_layernorm", f"{ours}.feedforward_norm"
      )
      for name in ("gate", "up", "down"):
        yield from linear(
          f"{theirs}.mlp.{name}_proj", f"{ours}.feedforward.{name}"
        )
    yield from norm("norm", f"{BLOCKS}.final_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from same("lm_head.weight", f"{OUTPUT}.embedding", top=True)
      return
    theirs = "qa_outputs" if name == "span" else "score"
    yield from linear(theirs, f"heads_{name}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    return {"lm_head.weight": f"{self.prefix}embed_tokens.weight"}


def _rotary(fields: Fields, positions: int) -> tuple[float, tuple[float, ...]]:
  """Trunk.rotary_base and Trunk.rotary_scaling.

  Older files have rope_theta beside rope_scaling, and "type" in it.
  """
  old = fields.mapping("rope_scaling")
  rope = old if old.values else fields.mapping("rope_parameters")
  for place in (fields, rope):
    place.require("partial_rotary_factor", 1.0)
  base = rope.number("rope_theta", fields.number("rope_theta", 10000.0))
  key = "rope_type" if "rope_type" in rope.values else "type"
  numbers = rope.choice(key, SCALINGS, "default")
  if numbers == SCALINGS["default"]:
    return base, ()
  factor = rope.number("factor")
  if not factor:
    raise rope.error("factor", "a number above 0")
  if numbers == SCALINGS["linear"]:
    return base, (factor,)
  length = rope.integer("original_max_position_embeddings", positions)
  length = fields.integer("original_max_position_embeddings", length)
  low, high = rope.number("low_freq_factor"), rope.number("high_freq_factor")
  if not 0 < low < high:
    raise rope.error("low_freq_factor", f"above 0 and below {high}")
  return base, (factor, low, high, float(length))
