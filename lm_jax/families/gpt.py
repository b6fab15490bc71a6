"""GPT (Radford et al. 2018), which Transformers calls openai-gpt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families.base import VOCABULARY
from lm_jax.families.gpt2 import SECOND_NAMES, Gpt2
from lm_jax.types import Trunk

# Its "gelu" is the approximation.
ACTIVATIONS: Mapping[str, Any] = {
  "gelu": "gelu_tanh",
  "relu": "relu",
  "silu": "silu",
  "swish": "silu",
}
ACTIVATION_NAMES = {"gelu_tanh": "gelu", "relu": "relu", "silu": "silu"}


class Gpt(Gpt2):
  """Transformers' OpenAIGPTModel: tensors as GPT-2's, norms behind."""

  title: ClassVar[str] = "GPT"
  model_types: ClassVar[tuple[str, ...]] = ("openai-gpt",)
  token_defaults: ClassVar[Mapping[str, int]] = {}
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "OpenAIGPTLMHeadModel": (VOCABULARY,),
    "OpenAIGPTDoubleHeadsModel": (VOCABULARY, "choice"),
    "OpenAIGPTModel": (),
    "OpenAIGPTForSequenceClassification": ("classification",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("OpenAIGPTModel",)
  writes: ClassVar[tuple[str, ...]] = ()
  tables: ClassVar[tuple[str, str]] = ("tokens_embed", "positions_embed")
  ignored: ClassVar[tuple[str, ...]] = (
    *Gpt2.ignored,
    r"^(transformer\.)?position_ids$",
  )

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(SECOND_NAMES)
    width = fields.integer("n_embd", 768)
    return Trunk(
      architecture="causal_decoder",
      vocabulary=fields.integer("vocab_size", 40478),
      width=width,
      layers=fields.count_of_layers("n_layer", 12),
      heads=fields.integer("n_head", 12),
      feedforward=4 * width,
      activation=fields.choice("afn", ACTIVATIONS, "gelu"),
      max_positions=fields.integer("n_positions", 512),
      norm_placement="post",
      norm_epsilon=fields.number("layer_norm_epsilon", 1e-5),
      positions="learned",
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
      "afn": ACTIVATION_NAMES.get(trunk.activation, "gelu"),
      "n_positions": trunk.max_positions,
      "layer_norm_epsilon": trunk.norm_epsilon,
      "tie_word_embeddings": trunk.tied,
      "embd_pdrop": trunk.dropout,
      "resid_pdrop": trunk.dropout,
      "attn_pdrop": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }
