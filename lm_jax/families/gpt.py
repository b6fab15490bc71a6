"""GPT (Radford et al. 2018), which Transformers calls openai-gpt."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import EMBEDDER, VOCABULARY
from lm_jax.families.gpt2 import Gpt2
from lm_jax.types import Trunk

# Its "gelu" is the approximation.
ACTIVATIONS: Mapping[str, Any] = {
  "gelu": "gelu_tanh",
  "relu": "relu",
  "silu": "silu",
  "swish": "silu",
}


class Gpt(Gpt2):
  """Transformers' OpenAIGPTModel: tensors as GPT-2's, but post-norm."""

  title = "GPT"
  model_types = ("openai-gpt",)
  token_defaults: ClassVar[Mapping[str, int]] = {}
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "OpenAIGPTLMHeadModel": (VOCABULARY,),
    "OpenAIGPTDoubleHeadsModel": (VOCABULARY, "choice"),
    "OpenAIGPTModel": (),
    "OpenAIGPTForSequenceClassification": ("classification",),
  }
  writes = ()
  ignored = (
    *Gpt2.ignored,
    r"^(transformer\.)?position_ids$",
  )
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 40478),
    "n_embd": Row("width", 768),
    "n_layer": Row("layers", 12),
    "n_head": Row("heads", 12),
    "afn": Row("activation", "gelu", names=ACTIVATIONS),
    "n_positions": Row("max_positions", 512),
    "layer_norm_epsilon": Row("norm_epsilon", 1e-5),
    "tie_word_embeddings": Row("tied", True),
    "embd_pdrop": Row(write=lambda t: t.dropout),
    "resid_pdrop": Row("dropout", 0.1),
    "attn_pdrop": Row("attention_dropout", 0.1),
    "initializer_range": Row("initializer_range", 0.02),
  }
  required: ClassVar[Mapping[str, Any]] = {}
  fixed = dataclasses.replace(Gpt2.fixed, norm_placement="post")
  first: ClassVar[Mapping[str, str]] = {
    "tokens_embed": f"{EMBEDDER}.embedding",
    "positions_embed": f"{EMBEDDER}.position_embedding",
  }

  def trunk(self, fields: Fields) -> Trunk:
    trunk = super().trunk(fields)
    return dataclasses.replace(trunk, feedforward=4 * trunk.width)
