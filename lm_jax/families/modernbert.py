"""ModernBERT (Warner et al. 2024): an encoder with local attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

from lm_jax.families import _template
from lm_jax.families._fields import ACTIVATIONS, Fields
from lm_jax.families._table import Row, has_bias, name_of
from lm_jax.families.base import (
  BLOCKS,
  EMBEDDER,
  MLP,
  VOCABULARY,
  Family,
  Tensor,
  norm,
  standard_heads,
)
from lm_jax.models.layers import GATED
from lm_jax.types import Head, Trunk

# The gated activation of each plain one, and by Transformers' names.
_GATES = {plain: gated for gated, plain in GATED.items()}
_GATED: dict[str, Any] = {
  name: _GATES[plain] for name, plain in ACTIVATIONS.items() if plain in _GATES
}
_FULL, _LOCAL = "full_attention", "sliding_attention"
_LAYERS = {_LOCAL: True, _FULL: False}
_POOLS: dict[str, Literal["first", "mean"]] = {"cls": "first", "mean": "mean"}


def _base(fields: Fields, kind: str, old: str, default: float) -> float:
  """Returns the rotary base of layers of a kind; `old` is its former key."""
  if fields.values.get(old, default) is None:  # Once that of the other kind.
    raise fields.error(old, "a number")
  rope = fields.mapping("rope_parameters").mapping(kind)
  rope.require(rope_type="default")
  return rope.number("rope_theta", fields.number(old, default))


def _read_bases(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  base = _base(fields, _FULL, "global_rope_theta", 160000.0)
  local = _base(fields, _LOCAL, "local_rope_theta", 10000.0)
  return {
    "rotary_base": base,
    "local_rotary_base": 0.0 if local == base else local,
  }


def _write_bases(trunk: Trunk) -> dict[str, Any]:
  local = trunk.local_rotary_base or trunk.rotary_base
  bases = {_FULL: trunk.rotary_base, _LOCAL: local}
  return {
    kind: {"rope_type": "default", "rope_theta": base}
    for kind, base in bases.items()
  }


def _locals(fields: Fields, layers: int) -> list[bool]:
  """Returns whether each layer's attention is local.

  Files name each layer's kind; old ones have all but every n-th local.
  """
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


def _read_windows(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  # That far to either side, themselves included.
  window = fields.integer("local_attention", 128, least=0) // 2 + 1
  local = _locals(fields, trunk.layers)
  return {"windows": tuple(window * is_local for is_local in local)}


def _windows(trunk: Trunk) -> list[int]:
  windows = trunk.windows
  return [windows[i % len(windows)] for i in range(trunk.layers)]


def _write_window(trunk: Trunk) -> int:
  windows = _windows(trunk)
  return 2 * max(max(windows) - 1, 0) if any(windows) else 128


def _read_biases(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  bias = fields.flag("attention_bias", False)
  other = fields.flag("mlp_bias", False) != bias
  return {"bias": bias, "bias_except": MLP if other else ()}


def _write_output_activation(trunk: Trunk) -> str:
  plain = trunk.output_activation or GATED.get(trunk.activation, "gelu")
  return name_of(ACTIVATIONS, plain, "gelu")


class ModernBert(Family):
  """Transformers' ModernBertModel: pre-norm, rotary, gated, mostly local."""

  title = "ModernBERT"
  model_types = ("modernbert",)
  template = _template.UNTYPED
  prefix = "model."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 50283,
    "cls_token_id": 50281,
    "sep_token_id": 50282,
  }
  token_keys: ClassVar[Mapping[str, str]] = {
    "pad_token_id": "pad",
    "bos_token_id": "boundary",
    "cls_token_id": "boundary",
    "eos_token_id": "separator",
    "sep_token_id": "separator",
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "ModernBertForMaskedLM": (VOCABULARY,),
    "ModernBertModel": (),
    "ModernBertForSequenceClassification": ("classification",),
    "ModernBertForMultipleChoice": ("choice",),
    "ModernBertForTokenClassification": ("tokens",),
    "ModernBertForQuestionAnswering": ("span",),
  }
  objective = "mlm"
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 50368),
    "hidden_size": Row("width", 768),
    "num_hidden_layers": Row("layers", 22),
    "num_attention_heads": Row("heads", 12),
    "intermediate_size": Row("feedforward", 1152),
    "hidden_activation": Row("activation", "gelu", names=_GATED),
    "max_position_embeddings": Row("max_positions", 8192),
    "norm_eps": Row("norm_epsilon", 1e-5),
    "norm_bias": Row("norm_bias", False),
    "rope_parameters": Row(read=_read_bases, write=_write_bases),
    "layer_types": Row(
      read=_read_windows,
      write=lambda t: [(_FULL, _LOCAL)[window > 0] for window in _windows(t)],
    ),
    "local_attention": Row(write=_write_window),
    "attention_bias": Row(
      read=_read_biases, write=lambda t: has_bias(t, "qkv")
    ),
    "mlp_bias": Row(write=lambda t: has_bias(t, "up")),
    "tie_word_embeddings": Row("tied", True),
    "decoder_bias": Row("output_bias", True),
    "classifier_bias": Row("output_transform_bias", False),
    "classifier_activation": Row(
      "output_activation", "gelu", write=_write_output_activation
    ),
    "embedding_dropout": Row(write=lambda t: t.dropout),
    "mlp_dropout": Row("dropout", 0.0),
    "attention_dropout": Row("attention_dropout", 0.0),
    "initializer_range": Row("initializer_range", 0.02),
  }
  required: ClassVar[Mapping[str, Any]] = {"rope_scaling": None}
  fixed = Trunk(
    architecture="encoder",
    first_norm=False,
    embedding_norm=True,
    positions="rotary",
    output_transform=True,
  )
  first: ClassVar[Mapping[str, str]] = {
    "embeddings.tok_embeddings": f"{EMBEDDER}.embedding",
    "embeddings.norm": f"{EMBEDDER}.norm",
  }
  layer = "layers.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "attn_norm": "attention_norm",
    "attn.Wqkv": "attention.query attention.key attention.value",
    "attn.Wo": "attention.out",
    "mlp_norm": "feedforward_norm",
    "mlp.Wi": "feedforward.gate feedforward.up",
    "mlp.Wo": "feedforward.down",
  }
  last: ClassVar[Mapping[str, str]] = {"final_norm": f"{BLOCKS}.final_norm"}
  output = ("head.dense", "head.norm", "decoder")
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = dict.fromkeys(
    ("classification", "choice", "tokens", "span"), ("head.dense", "classifier")
  )

  def heads(self, fields: Fields) -> dict[str, Head]:
    def head(pool: Literal["none", "first", "mean"]) -> Head:
      return Head(
        0,
        pool,
        fields.activation("classifier_activation", "gelu"),
        norm=True,
        transform_bias=fields.flag("classifier_bias", False),
      )

    pool = fields.choice("classifier_pooling", _POOLS, "cls")
    return standard_heads(fields.labels(), head(pool), head("none"))

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    yield from super().outputs(name, trunk)
    if name != VOCABULARY:
      yield from norm("head.norm", f"heads_{name}.norm", top=True)
