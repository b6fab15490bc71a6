"""GPT-2 (Radford et al. 2019)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import BLOCKS, EMBEDDER, VOCABULARY, Family
from lm_jax.types import Head, Trunk


class Gpt2(Family):
  """Transformers' GPT2Model: pre-norm, learned positions, projections fused.

  Its linear maps are [in, out] (Conv1D). Token types, where given, are looked
  up in the table of tokens.
  """

  title = "GPT-2"
  model_types = ("gpt2",)
  template = _template.GPT2
  prefix = "transformer."
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
  objective = "clm"
  writes: ClassVar[tuple[str, ...]] = ("clm",)
  # The causal mask, which old files hold as a buffer.
  ignored: ClassVar[tuple[str, ...]] = (r"\.attn\.(masked_)?bias$",)
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 50257),
    "n_embd": Row("width", 768),
    "n_layer": Row("layers", 12),
    "n_head": Row("heads", 12),
    "n_inner": Row("feedforward", lambda t: 4 * t.width),
    "activation_function": Row("activation", "gelu_new"),
    "n_positions": Row("max_positions", 1024),
    "layer_norm_epsilon": Row("norm_epsilon", 1e-5),
    "scale_attn_weights": Row("attention_scaling", True),
    "scale_attn_by_inverse_layer_idx": Row("depth_scaling", False),
    "tie_word_embeddings": Row("tied", True),
    "embd_pdrop": Row(write=lambda t: t.dropout),
    "resid_pdrop": Row("dropout", 0.1),
    "attn_pdrop": Row("attention_dropout", 0.1),
    "initializer_range": Row("initializer_range", 0.02),
  }
  second_names: ClassVar[Mapping[str, str]] = {
    "hidden_size": "n_embd",
    "max_position_embeddings": "n_positions",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
  }
  required: ClassVar[Mapping[str, Any]] = {"add_cross_attention": False}
  fixed = Trunk(
    architecture="causal_decoder",
    positions="learned",
    bias=True,
    types_are_tokens=True,
  )
  first: ClassVar[Mapping[str, str]] = {
    "wte": f"{EMBEDDER}.embedding",
    "wpe": f"{EMBEDDER}.position_embedding",
  }
  layer = "h.{}."
  parts: ClassVar[Mapping[str, str]] = {
    "ln_1": "attention_norm",
    "attn.c_attn": "attention.query attention.key attention.value",
    "attn.c_proj": "attention.out",
    "ln_2": "feedforward_norm",
    "mlp.c_fc": "feedforward.up",
    "mlp.c_proj": "feedforward.down",
  }
  last: ClassVar[Mapping[str, str]] = {"ln_f": f"{BLOCKS}.final_norm"}
  transpose = False
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "choice": ("", "multiple_choice_head.summary"),
    "classification": ("", "score"),
  }
  text_head = Head(0, "last")

  def heads(self, fields: Fields) -> dict[str, Head]:
    if fields.is_class("DoubleHeadsModel"):
      # Elsewhere these fields have no effect.
      fields.require(
        summary_type="cls_index",
        summary_use_proj=True,
        summary_proj_to_labels=True,
        summary_activation=None,
      )
    return super().heads(fields) | {
      "classification": Head(fields.labels(), "last", bias=False)
    }
