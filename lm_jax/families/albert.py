"""ALBERT (Lan et al. 2020): layers that share their parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _bert_like, _template
from lm_jax.families._fields import Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  BLOCKS,
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
)
from lm_jax.support.errors import UsageError
from lm_jax.types import Head, Trunk


class Albert(Family):
  """Transformers' AlbertModel: a BERT of groups of layers, each repeated.

  Its embedding is factorized, and there is a map to the width even where
  that is the same.
  """

  title: ClassVar[str] = "ALBERT"
  model_types: ClassVar[tuple[str, ...]] = ("albert",)
  template: ClassVar[Template] = _template.ALBERT
  prefix: ClassVar[str] = "albert."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "AlbertForMaskedLM": (VOCABULARY, "pooler?"),
    "AlbertForPreTraining": (VOCABULARY, "pair"),
    "AlbertModel": ("pooler?",),
    "AlbertForSequenceClassification": ("classification",),
    "AlbertForMultipleChoice": ("choice",),
    "AlbertForTokenClassification": ("tokens", "pooler?"),
    "AlbertForQuestionAnswering": ("span", "pooler?"),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("AlbertModel",)
  objective: ClassVar[str] = "mlm"
  writes: ClassVar[tuple[str, ...]] = ("mlm_sop",)
  ignored: ClassVar[tuple[str, ...]] = (r"embeddings\.position_ids$",)

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm_sop" if {VOCABULARY, "pair"} <= set(outputs) else "mlm"

  def trunk(self, fields: Fields) -> Trunk:
    trunk = _bert_like.trunk(
      fields,
      vocab_size=30000,
      hidden_size=4096,
      num_attention_heads=64,
      intermediate_size=16384,
      hidden_act="gelu_new",
      hidden_dropout_prob=0.0,
      attention_probs_dropout_prob=0.0,
    )
    narrow = fields.integer("embedding_size", 128)
    if narrow == trunk.width:
      raise fields.error("embedding_size", "another than hidden_size")
    groups = fields.count_of_layers("num_hidden_groups", 1)
    if groups > trunk.layers:
      raise fields.error(
        "num_hidden_groups", f"at most num_hidden_layers={trunk.layers}"
      )
    inner = fields.count_of_layers("inner_group_num", 1)
    return dataclasses.replace(
      trunk,
      embedding_width=narrow,
      layers=trunk.layers * inner,
      sharing=_sharing(trunk.layers, groups, inner),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    if trunk.embedding_width in (None, 0, trunk.width):
      raise UsageError(
        "its embeddings are narrower than its layers"
        f" (--trunk.embedding_width={trunk.width // 2} would fit)"
      )
    layers, groups, inner = _grouping(trunk)
    return {
      **_bert_like.config(trunk),
      "embedding_size": trunk.embedding_width or trunk.width,
      "num_hidden_layers": layers,
      "num_hidden_groups": groups,
      "inner_group_num": inner,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "pooler": Head(0, "first", "tanh"),
      "pair": Head(labels, "first", "tanh"),
      "classification": Head(labels, "first", "tanh"),
      "choice": Head(1, "first", "tanh"),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from _bert_like.embeddings()
    yield from linear(
      "encoder.embedding_hidden_mapping_in", f"{BLOCKS}.embedding_projection"
    )
    inner = _grouping(trunk)[2]
    for i in sorted(set(_numbers(trunk))):
      theirs = "encoder.albert_layer_groups.{}.albert_layers.{}".format(
        *divmod(i, inner)
      )
      ours = f"{BLOCKS}.layer_{i}"
      for part, name in (
        ("query", "query"),
        ("key", "key"),
        ("value", "value"),
        ("dense", "out"),
      ):
        yield from linear(
          f"{theirs}.attention.{part}", f"{ours}.attention.{name}"
        )
      yield from norm(f"{theirs}.attention.LayerNorm", f"{ours}.attention_norm")
      yield from linear(f"{theirs}.ffn", f"{ours}.feedforward.up")
      yield from linear(f"{theirs}.ffn_output", f"{ours}.feedforward.down")
      yield from norm(
        f"{theirs}.full_layer_layer_norm", f"{ours}.feedforward_norm"
      )

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from linear("predictions.dense", f"{OUTPUT}.transform", top=True)
      yield from norm("predictions.LayerNorm", f"{OUTPUT}.norm", top=True)
      bias = "bias" if trunk.tied else "decoder.bias"
      yield from same(f"predictions.{bias}", f"{OUTPUT}.bias", top=True)
      yield from same(
        "predictions.decoder.weight", f"{OUTPUT}.embedding", top=True
      )
      return
    ours = f"heads_{name}"
    yield from linear("pooler", f"{ours}.dense")
    theirs = {"pair": "sop_classifier.classifier", "span": "qa_outputs"}
    yield from linear(theirs.get(name, "classifier"), f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    table = f"{self.prefix}embeddings.word_embeddings.weight"
    return {
      "predictions.decoder.bias": "predictions.bias",
      "predictions.decoder.weight": table,
    }

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    bias = "predictions.decoder.bias"
    return {} if trunk.tied else {"predictions.bias": bias}


def _sharing(steps: int, groups: int, inner: int) -> tuple[int, ...]:
  """The set of parameters of each layer: `inner` layers a step.

  The group of a step is rounded as Transformers does it.
  """
  group = [int(i / (steps / groups)) for i in range(steps)]
  return tuple(g * inner + j for g in group for j in range(inner))


def _numbers(trunk: Trunk) -> tuple[int, ...]:
  return trunk.sharing or tuple(range(trunk.layers))


def _grouping(trunk: Trunk) -> tuple[int, int, int]:
  """Steps, groups and layers a step that mean a trunk's sharing, or nearly."""
  numbers = _numbers(trunk)
  for inner in range(1, trunk.layers + 1):
    steps, groups = trunk.layers // inner, (max(numbers) + 1) // inner
    if groups and _sharing(steps, groups, inner) == numbers:
      return steps, groups, inner
  return trunk.layers, min(max(numbers) + 1, trunk.layers), 1
