"""ModernBERT (Warner et al. 2024): an encoder with local attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from lm_jax.families import _template
from lm_jax.families._fields import ACTIVATION_NAMES, ACTIVATIONS, Fields
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
from lm_jax.models.layers import GATED
from lm_jax.types import Head, Specials, Trunk

# Their names of activations, and ours of what they gate.
_GATES = {plain: gated for gated, plain in GATED.items()}
_GATED: dict[str, Any] = {
  theirs: _GATES[ours] for theirs, ours in ACTIVATIONS.items() if ours in _GATES
}
_LOCAL = "sliding_attention"
_LAYERS = {_LOCAL: True, "full_attention": False}
_POOLS: dict[str, Literal["first", "mean"]] = {"cls": "first", "mean": "mean"}


class ModernBert(Family):
  """Transformers' ModernBertModel: pre-norm, rotary, gated, mostly local."""

  title: ClassVar[str] = "ModernBERT"
  model_types: ClassVar[tuple[str, ...]] = ("modernbert",)
  template: ClassVar[Template] = _template.UNTYPED
  prefix: ClassVar[str] = "model."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 50283,
    "cls_token_id": 50281,
    "sep_token_id": 50282,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "ModernBertForMaskedLM": (VOCABULARY,),
    "ModernBertModel": (),
    "ModernBertForSequenceClassification": ("classification",),
    "ModernBertForMultipleChoice": ("choice",),
    "ModernBertForTokenClassification": ("tokens",),
    "ModernBertForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("ModernBertModel",)
  objective: ClassVar[str] = "mlm"

  def trunk(self, fields: Fields) -> Trunk:
    fields.require("rope_scaling", None)
    base = _base(fields, "full_attention", "global_rope_theta", 160000.0)
    local_base = _base(fields, _LOCAL, "local_rope_theta", 10000.0)
    layers = fields.count_of_layers("num_hidden_layers", 22)
    # That far to either side, themselves included.
    window = fields.integer("local_attention", 128, least=0) // 2 + 1
    bias = fields.flag("attention_bias", False)
    other = fields.flag("mlp_bias", False) != bias
    return Trunk(
      architecture="encoder",
      vocabulary=fields.integer("vocab_size", 50368),
      width=fields.integer("hidden_size", 768),
      layers=layers,
      heads=fields.integer("num_attention_heads", 12),
      feedforward=fields.integer("intermediate_size", 1152),
      activation=fields.choice("hidden_activation", _GATED, "gelu"),
      max_positions=fields.integer("max_position_embeddings", 8192),
      norm_epsilon=fields.number("norm_eps", 1e-5),
      norm_bias=fields.flag("norm_bias", False),
      first_norm=False,
      embedding_norm=True,
      positions="rotary",
      rotary_base=base,
      local_rotary_base=0.0 if local_base == base else local_base,
      windows=tuple(window * local for local in _locals(fields, layers)),
      bias=bias,
      bias_except=("up", "down") if other else (),
      tied=fields.flag("tie_word_embeddings", True),
      output_bias=fields.flag("decoder_bias", True),
      output_transform=True,
      output_transform_bias=fields.flag("classifier_bias", False),
      output_activation=fields.activation("classifier_activation", "gelu"),
      dropout=fields.number("mlp_dropout", 0.0),
      attention_dropout=fields.number("attention_dropout", 0.0),
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    act = GATED.get(trunk.activation, "gelu")
    windows = [
      trunk.windows[i % len(trunk.windows)] for i in range(trunk.layers)
    ]
    kinds = ("full_attention", _LOCAL)
    bases = (trunk.rotary_base, trunk.local_rotary_base or trunk.rotary_base)
    return {
      "vocab_size": trunk.vocabulary,
      "hidden_size": trunk.width,
      "num_hidden_layers": trunk.layers,
      "num_attention_heads": trunk.heads,
      "intermediate_size": trunk.feedforward,
      "hidden_activation": ACTIVATION_NAMES[act],
      "max_position_embeddings": trunk.max_positions,
      "norm_eps": trunk.norm_epsilon,
      "norm_bias": trunk.norm_bias,
      "rope_parameters": {
        kind: {"rope_type": "default", "rope_theta": base}
        for kind, base in zip(kinds, bases, strict=True)
      },
      "layer_types": [kinds[window > 0] for window in windows],
      "local_attention": 2 * max(max(windows) - 1, 0) if any(windows) else 128,
      "attention_bias": trunk.bias != ("qkv" in trunk.bias_except),
      "mlp_bias": trunk.bias != ("up" in trunk.bias_except),
      "tie_word_embeddings": trunk.tied,
      "decoder_bias": trunk.output_bias,
      "classifier_bias": trunk.output_transform_bias,
      "classifier_activation": ACTIVATION_NAMES[trunk.output_activation or act],
      "embedding_dropout": trunk.dropout,
      "mlp_dropout": trunk.dropout,
      "attention_dropout": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    def head(size: int, pool: Literal["none", "first", "mean"]) -> Head:
      return Head(
        size,
        pool,
        fields.activation("classifier_activation", "gelu"),
        norm=True,
        transform_bias=fields.flag("classifier_bias", False),
      )

    pool = fields.choice("classifier_pooling", _POOLS, "cls")
    labels = fields.labels()
    return {
      "classification": head(labels, pool),
      "choice": head(1, pool),
      "tokens": head(labels, "none"),
      "span": head(2, "none"),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from same("embeddings.tok_embeddings.weight", f"{EMBEDDER}.embedding")
    yield from norm("embeddings.norm", f"{EMBEDDER}.norm")
    for i in range(trunk.layers):
      theirs, ours = f"layers.{i}", f"{BLOCKS}.layer_{i}"
      attention = [f"{ours}.attention.{x}" for x in ("query", "key", "value")]
      yield from norm(f"{theirs}.attn_norm", f"{ours}.attention_norm")
      yield from linear(f"{theirs}.attn.Wqkv", *attention)
      yield from linear(f"{theirs}.attn.Wo", f"{ours}.attention.out")
      yield from norm(f"{theirs}.mlp_norm", f"{ours}.feedforward_norm")
      yield from linear(
        f"{theirs}.mlp.Wi", f"{ours}.feedforward.gate", f"{ours}.feedforward.up"
      )
      yield from linear(f"{theirs}.mlp.Wo", f"{ours}.feedforward.down")
    yield from norm("final_norm", f"{BLOCKS}.final_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from linear("head.dense", f"{OUTPUT}.transform", top=True)
      yield from norm("head.norm", f"{OUTPUT}.norm", top=True)
      yield from same("decoder.weight", f"{OUTPUT}.embedding", top=True)
      yield from same("decoder.bias", f"{OUTPUT}.bias", top=True)
      return
    ours = f"heads_{name}"
    yield from linear("head.dense", f"{ours}.dense", top=True)
    yield from norm("head.norm", f"{ours}.norm", top=True)
    yield from linear("classifier", f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    return {"decoder.weight": f"{self.prefix}embeddings.tok_embeddings.weight"}

  def tokens(self, specials: Specials) -> dict[str, int]:
    return token_ids(
      pad_token_id=specials.pad,
      bos_token_id=specials.boundary,
      cls_token_id=specials.boundary,
      eos_token_id=specials.separator,
      sep_token_id=specials.separator,
    )


def _base(fields: Fields, kind: str, old: str, default: float) -> float:
  """The rotary base of layers of a kind; `old` is how it was called before."""
  if fields.values.get(old, default) is None:  # Once that of the other kind.
    raise fields.error(old, "a number")
  rope = fields.mapping("rope_parameters").mapping(kind)
  rope.require("rope_type", "default")
  return rope.number("rope_theta", fields.number(old, default))


def _locals(fields: Fields, layers: int) -> list[bool]:
  """Is a layer's attention local? By name, or all but every n-th, once."""
  kinds = fields.values.get("layer_types")
  if kinds is None:
    every = fields.integer("global_attn_every_n_layers", 3)
    return [i % every != 0 for i in range(layers)]
  if (
    not isinstance(kinds, list)
    or len(kinds) != layers
    or not all(isinstance(x, str) and x in _LAYERS for x in kinds)
  ):
    raise fields.error(
      "layer_types", f"a list of {layers}, each one of {', '.join(_LAYERS)}"
    )
  return [_LAYERS[kind] for kind in kinds]
