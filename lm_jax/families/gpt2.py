"""GPT-2 (Radford et al. 2019)."""

from __future__ import annotations

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
from lm_jax.types import Head, Trunk

SECOND_NAMES = {
  "hidden_size": "n_embd",
  "max_position_embeddings": "n_positions",
  "num_attention_heads": "n_head",
  "num_hidden_layers": "n_layer",
}


class Gpt2(Family):
  """Transformers' GPT2Model: pre-norm, learned positions, projections fused.

  Its linear maps are [in, out] (Conv1D). Token types, where told, are looked
  up in the table of tokens.
  """

  title: ClassVar[str] = "GPT-2"
  model_types: ClassVar[tuple[str, ...]] = ("gpt2",)
  template: ClassVar[Template] = _template.GPT2
  prefix: ClassVar[str] = "transformer."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "bos_token_id": 50256,
    "eos_token_id": 50256,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "GPT2LMHeadModel": (VOCABULARY,),
    "GPT2DoubleHeadsModel": (VOCABULARY, "choice"),
    "GPT2Model": (),
    "GPT2ForSequenceClassification": ("classification",),
    "GPT2ForTokenClassification": ("tokens",),
    "GPT2ForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("GPT2Model",)
  objective: ClassVar[str] = "clm"
  writes: ClassVar[tuple[str, ...]] = ("clm",)
  # Names of the tables of tokens and positions.
  tables: ClassVar[tuple[str, str]] = ("wte", "wpe")
  # The causal mask, which old files hold as a buffer.
  ignored: ClassVar[tuple[str, ...]] = (r"\.attn\.(masked_)?bias$",)

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(SECOND_NAMES)
    fields.require("add_cross_attention", False)
    width = fields.integer("n_embd", 768)
    return Trunk(
      architecture="causal_decoder",
      vocabulary=fields.integer("vocab_size", 50257),
      width=width,
      layers=fields.count_of_layers("n_layer", 12),
      heads=fields.integer("n_head", 12),
      feedforward=fields.integer("n_inner", 4 * width),
      activation=fields.activation("activation_function", "gelu_new"),
      max_positions=fields.integer("n_positions", 1024),
      norm_epsilon=fields.number("layer_norm_epsilon", 1e-5),
      positions="learned",
      attention_scaling=fields.flag("scale_attn_weights", True),
      depth_scaling=fields.flag("scale_attn_by_inverse_layer_idx", False),
      bias=True,
      tied=fields.flag("tie_word_embeddings", True),
      types_are_tokens=True,
      dropout=fields.number("resid_pdrop", 0.1),
      attention_dropout=fields.number("attn_pdrop", 0.1),
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    return {
      "vocab_size": trunk.vocabulary,
      "n_embd": trunk.width,
      "n_layer": trunk.layers,
      "n_head": trunk.heads,
      "n_inner": trunk.feedforward,
      "activation_function": ACTIVATION_NAMES.get(trunk.activation, "gelu_new"),
      "n_positions": trunk.max_positions,
      "layer_norm_epsilon": trunk.norm_epsilon,
      "scale_attn_weights": trunk.attention_scaling,
      "scale_attn_by_inverse_layer_idx": trunk.depth_scaling,
      "tie_word_embeddings": trunk.tied,
      "embd_pdrop": trunk.dropout,
      "resid_pdrop": trunk.dropout,
      "attn_pdrop": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    if fields.is_class("DoubleHeadsModel"):
      # Elsewhere these fields have no effect.
      fields.require("summary_type", "cls_index")
      fields.require("summary_use_proj", True)
      fields.require("summary_proj_to_labels", True)
      fields.require("summary_activation", None)
    return {
      "choice": Head(1, "last"),
      "classification": Head(labels, "last", bias=False),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    tokens, positions = self.tables
    yield from same(f"{tokens}.weight", f"{EMBEDDER}.embedding")
    yield from same(f"{positions}.weight", f"{EMBEDDER}.position_embedding")
    for i in range(trunk.layers):
      theirs, ours = f"h.{i}", f"{BLOCKS}.layer_{i}"
      attention = [f"{ours}.attention.{x}" for x in ("query", "key", "value")]
      yield from norm(f"{theirs}.ln_1", f"{ours}.attention_norm")
      yield from linear(f"{theirs}.attn.c_attn", *attention, transpose=False)
      yield from linear(
        f"{theirs}.attn.c_proj", f"{ours}.attention.out", transpose=False
      )
      yield from norm(f"{theirs}.ln_2", f"{ours}.feedforward_norm")
      for part, name in (("c_fc", "up"), ("c_proj", "down")):
        yield from linear(
          f"{theirs}.mlp.{part}", f"{ours}.feedforward.{name}", transpose=False
        )
    yield from norm("ln_f", f"{BLOCKS}.final_norm")

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      yield from same("lm_head.weight", f"{OUTPUT}.embedding", top=True)
      return
    theirs = {
      "choice": "multiple_choice_head.summary",
      "classification": "score",
      "span": "qa_outputs",
    }
    yield from linear(
      theirs.get(name, "classifier"), f"heads_{name}.out", top=True
    )

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    if not trunk.tied:
      return {}
    return {"lm_head.weight": f"{self.prefix}{self.tables[0]}.weight"}
