"""XLNet (Yang et al. 2019)."""

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
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
)
from lm_jax.types import Architecture, Head, Trunk

# Which tokens see which: all, or (as in Transformer-XL) those before.
_DIRECTIONS: dict[str, Architecture] = {
  "bi": "encoder",
  "uni": "causal_decoder",
}
# Without an index, "cls_index" reads the last token, too.
_SUMMARIES: dict[str, Any] = {
  "last": "last",
  "cls_index": "last",
  "first": "first",
  "mean": "mean",
}
# Transformers' second names of fields.
_SECOND_NAMES = {
  "n_token": "vocab_size",
  "hidden_size": "d_model",
  "num_attention_heads": "n_head",
  "num_hidden_layers": "n_layer",
}


class XLNet(Family):
  """Transformers' XLNetModel: post-norm, told distances, with a memory.

  A text is read as x <sep> <cls>, padded in front. Heads that read a text
  skip padding, which Transformers reads where it stands last or, for a mean,
  anywhere.
  """

  title: ClassVar[str] = "XLNet"
  model_types: ClassVar[tuple[str, ...]] = ("xlnet",)
  template: ClassVar[Template] = _template.XLNET
  prefix: ClassVar[str] = "transformer."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 5,
    "bos_token_id": 1,
    "eos_token_id": 2,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "XLNetLMHeadModel": (VOCABULARY,),
    "XLNetModel": (),
    "XLNetForSequenceClassification": ("classification",),
    "XLNetForMultipleChoice": ("choice",),
    "XLNetForTokenClassification": ("tokens",),
    "XLNetForQuestionAnsweringSimple": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("XLNetModel",)
  objective: ClassVar[str] = "permutation_lm"
  writes: ClassVar[tuple[str, ...]] = ("permutation_lm",)

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    causal = trunk.architecture == "causal_decoder"
    return "clm" if causal else self.objective

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(_SECOND_NAMES)
    fields.require("clamp_len", -1)
    fields.require("same_length", False)
    fields.require("bi_data", False)
    fields.require("untie_r", True)
    width = fields.integer("d_model", 1024)
    heads = fields.integer("n_head", 16)
    fields.require("d_head", width // heads)
    dropout = fields.number("dropout", 0.1)
    return Trunk(
      architecture=fields.choice("attn_type", _DIRECTIONS, "bi"),
      vocabulary=fields.integer("vocab_size", 32000),
      width=width,
      layers=fields.count_of_layers("n_layer", 24),
      heads=heads,
      feedforward=fields.integer("d_inner", 4096),
      activation=fields.activation("ff_activation", "gelu"),
      norm_placement="post",
      norm_epsilon=fields.number("layer_norm_eps", 1e-12),
      positions="xlnet",
      query_embedding=True,
      bias=True,
      bias_except=("qkv", "out"),
      tied=fields.flag("tie_word_embeddings", True),
      output_bias=True,
      dropout=dropout,
      attention_dropout=dropout,
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    uni = trunk.architecture == "causal_decoder"
    return {
      "vocab_size": trunk.vocabulary,
      "d_model": trunk.width,
      "n_layer": trunk.layers,
      "n_head": trunk.heads,
      "d_inner": trunk.feedforward,
      "ff_activation": ACTIVATION_NAMES.get(trunk.activation, "gelu"),
      "attn_type": "uni" if uni else "bi",
      "layer_norm_eps": trunk.norm_epsilon,
      "tie_word_embeddings": trunk.tied,
      "dropout": trunk.dropout,
      "initializer_range": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    summary = Head(labels, "last", "tanh")
    if fields.is_class("SequenceClassification", "MultipleChoice"):
      fields.require("summary_use_proj", True)
      summary = Head(
        labels,
        fields.choice("summary_type", _SUMMARIES, "last"),
        fields.activation("summary_activation", "tanh"),
      )
    return {
      "classification": summary,
      "choice": dataclasses.replace(summary, size=1),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    split = (trunk.width, trunk.heads, trunk.width // trunk.heads)
    yield from same("word_embedding.weight", f"{EMBEDDER}.embedding")
    yield from same(
      "mask_emb", f"{EMBEDDER}.query_embedding", shape=(1, 1, trunk.width)
    )
    for i in range(trunk.layers):
      theirs, ours = f"layer.{i}", f"{BLOCKS}.layer_{i}"
      for part, name in (
        ("q", "query"),
        ("k", "key"),
        ("v", "value"),
        ("r", "position"),
        ("o", "out"),
      ):
        yield from same(
          f"{theirs}.rel_attn.{part}",
          f"{ours}.attention.{name}.kernel",
          shape=split,
          transpose=name == "out",
        )
      for part, name in (
        ("r_w_bias", "content_bias"),
        ("r_r_bias", "position_bias"),
        ("r_s_bias", "segment_bias"),
        ("seg_embed", "segment_embedding"),
      ):
        yield from same(f"{theirs}.rel_attn.{part}", f"{ours}.attention.{name}")
      yield from norm(f"{theirs}.rel_attn.layer_norm", f"{ours}.attention_norm")
      yield from linear(f"{theirs}.ff.layer_1", f"{ours}.feedforward.up")
      yield from linear(f"{theirs}.ff.layer_2", f"{ours}.feedforward.down")
      yield from norm(f"{theirs}.ff.layer_norm", f"{ours}.feedforward_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from same("lm_loss.weight", f"{OUTPUT}.embedding", top=True)
      yield from same("lm_loss.bias", f"{OUTPUT}.bias", top=True)
      return
    theirs = {"tokens": "classifier", "span": "qa_outputs"}
    ours = f"heads_{name}"
    yield from linear("sequence_summary.summary", f"{ours}.dense", top=True)
    yield from linear(theirs.get(name, "logits_proj"), f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    return {"lm_loss.weight": f"{self.prefix}word_embedding.weight"}
