"""ALBERT (Lan et al. 2020): layers that share their parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._bert_like import BertLike
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import BLOCKS, VOCABULARY, Family, Tensor, modules
from lm_jax.support.errors import UsageError
from lm_jax.types import MOST_LAYERS, Head, Trunk


def _read_width(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  narrow = fields.integer("embedding_size", 128)
  if narrow == trunk.width:
    raise fields.error("embedding_size", "another than hidden_size")
  return {"embedding_width": narrow}


def _write_width(trunk: Trunk) -> int:
  if trunk.embedding_width in (None, 0, trunk.width):
    raise UsageError(
      "its embeddings are narrower than its layers"
      f" (--trunk.embedding_width={trunk.width // 2} would fit)"
    )
  return trunk.embedding_width


def _read_groups(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  steps = trunk.layers
  groups = fields.integer("num_hidden_groups", 1)
  if groups > steps:
    raise fields.error(
      "num_hidden_groups", f"at most num_hidden_layers={steps}"
    )
  inner = fields.integer("inner_group_num", 1, most=MOST_LAYERS)
  return {"layers": steps * inner, "sharing": _sharing(steps, groups, inner)}


def _sharing(steps: int, groups: int, inner: int) -> tuple[int, ...]:
  """Returns the set of parameters of each layer: `inner` layers a step.

  The group of a step is rounded as Transformers does it.
  """
  group = [int(i / (steps / groups)) for i in range(steps)]
  return tuple(g * inner + j for g in group for j in range(inner))


def _numbers(trunk: Trunk) -> tuple[int, ...]:
  return trunk.sharing or tuple(range(trunk.layers))


def _grouping(trunk: Trunk) -> tuple[int, int, int]:
  """Returns steps, groups and layers a step: a trunk's sharing, or nearly."""
  numbers = _numbers(trunk)
  for inner in range(1, trunk.layers + 1):
    steps, groups = trunk.layers // inner, (max(numbers) + 1) // inner
    if groups and _sharing(steps, groups, inner) == numbers:
      return steps, groups, inner
  return trunk.layers, min(max(numbers) + 1, trunk.layers), 1


class Albert(BertLike):
  """Transformers' AlbertModel: a BERT of groups of layers, each repeated.

  Its embedding is factorized, and there is a map to the width even where
  that is the same.
  """

  title = "ALBERT"
  model_types = ("albert",)
  template = _template.ALBERT
  prefix = "albert."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
  }
  token_keys: ClassVar[Mapping[str, str]] = Family.token_keys
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "AlbertForMaskedLM": (VOCABULARY, "pooler?"),
    "AlbertForPreTraining": (VOCABULARY, "pair"),
    "AlbertModel": ("pooler?",),
    "AlbertForSequenceClassification": ("classification",),
    "AlbertForMultipleChoice": ("choice",),
    "AlbertForTokenClassification": ("tokens", "pooler?"),
    "AlbertForQuestionAnswering": ("span", "pooler?"),
  }
  writes = ("mlm_sop",)
  rows: ClassVar[Mapping[str, Row]] = {
    **BertLike.rows,
    "num_hidden_layers": Row("layers", 12, write=lambda t: _grouping(t)[0]),
    "embedding_size": Row(read=_read_width, write=_write_width),
    "num_hidden_groups": Row(
      read=_read_groups, write=lambda t: _grouping(t)[1]
    ),
    "inner_group_num": Row(write=lambda t: _grouping(t)[2]),
  }
  defaults: ClassVar[Mapping[str, Any]] = {
    "vocab_size": 30000,
    "hidden_size": 4096,
    "num_attention_heads": 64,
    "intermediate_size": 16384,
    "hidden_act": "gelu_new",
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
  }
  first: ClassVar[Mapping[str, str]] = {
    **BertLike.first,
    "encoder.embedding_hidden_mapping_in": f"{BLOCKS}.embedding_projection",
  }
  layer = "encoder.albert_layer_groups.{}.albert_layers.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "attention.query": "attention.query",
    "attention.key": "attention.key",
    "attention.value": "attention.value",
    "attention.dense": "attention.out",
    "attention.LayerNorm": "attention_norm",
    "ffn": "feedforward.up",
    "ffn_output": "feedforward.down",
    "full_layer_layer_norm": "feedforward_norm",
  }
  output = ("predictions.dense", "predictions.LayerNorm", "predictions.decoder")
  tied_bias = "predictions.bias"
  pooler = "pooler"
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "pair": ("", "sop_classifier.classifier"),
  }

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm_sop" if {VOCABULARY, "pair"} <= set(outputs) else "mlm"

  def heads(self, fields: Fields) -> dict[str, Head]:
    heads = super().heads(fields)
    return heads | {"pair": heads["classification"]}

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from modules("", "", self.first)
    inner = _grouping(trunk)[2]
    for i in sorted(set(_numbers(trunk))):
      theirs = self.layer.format(*divmod(i, inner))
      yield from modules(theirs, f"{BLOCKS}.layer_{i}.", self.parts)
