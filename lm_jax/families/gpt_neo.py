"""GPT-Neo (Black et al. 2021): GPT-3's dense and local layers in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.base import VOCABULARY
from lm_jax.families.gpt2 import Gpt2
from lm_jax.types import Trunk

KINDS = ("global", "local")


def _kinds(fields: Fields, layers: int) -> list[str]:
  """Returns the kind of attention of each layer.

  attention_layers lists them; attention_types is run-length encoded, and
  Transformers takes it only where there is no list.
  """
  listed = fields.values.get("attention_layers")
  if listed is not None:
    name, valid = "attention_layers", f"{layers} of {' and '.join(KINDS)}"
  else:
    name = "attention_types"
    valid = f'a list as [[["global", "local"], N]] of {layers} layers in all'
    pairs = fields.values.get(name) or [[["global", "local"], 12]]
    try:
      # A count may be anything, and is multiplied out.
      if any(not 0 < int(count) <= layers for _, count in pairs):
        raise fields.error(name, valid)
      listed = [kind for kinds, count in pairs for kind in count * kinds]
    except (TypeError, ValueError):
      raise fields.error(name, valid) from None
  is_list = isinstance(listed, list) and len(listed) == layers
  if not is_list or any(kind not in KINDS for kind in listed):
    raise fields.error(name, valid)
  return listed


def _read_windows(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  window = fields.integer("window_size", 256)
  kinds = _kinds(fields, trunk.layers)
  return {"windows": tuple(window * (kind == "local") for kind in kinds)}


def _write_kinds(trunk: Trunk) -> list[Any]:
  kinds = [KINDS[window > 0] for window in trunk.windows]
  repeats, rest = divmod(trunk.layers, len(kinds))
  types: list[Any] = [[kinds, repeats]] if repeats else []
  return [*types, [kinds[:rest], 1]] if rest else types


class GptNeo(Gpt2):
  """Transformers' GPTNeoModel: heads as GPT-2's, and layers of its own.

  Attention scores are not scaled; queries, keys and values have no bias.
  """

  title = "GPT-Neo"
  model_types = ("gpt_neo",)
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "GPTNeoForCausalLM": (VOCABULARY,),
    "GPTNeoModel": (),
    "GPTNeoForSequenceClassification": ("classification",),
    "GPTNeoForTokenClassification": ("tokens",),
    "GPTNeoForQuestionAnswering": ("span",),
  }
  writes = ()
  ignored = (r"\.attn\.attention\.(masked_)?bias$",)
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 50257),
    "hidden_size": Row("width", 2048),
    "num_layers": Row("layers", 24),
    "num_heads": Row("heads", 16),
    "intermediate_size": Row("feedforward", lambda t: 4 * t.width),
    "activation_function": Row("activation", "gelu_new"),
    "max_position_embeddings": Row("max_positions", 2048),
    "attention_types": Row(read=_read_windows, write=_write_kinds),
    "window_size": Row(write=lambda t: max(t.windows) or 256),
    "layer_norm_epsilon": Row("norm_epsilon", 1e-5),
    "tie_word_embeddings": Row("tied", True),
    "embed_dropout": Row(write=lambda t: t.dropout),
    "resid_dropout": Row("dropout", 0.0),
    "attention_dropout": Row("attention_dropout", 0.0),
    "initializer_range": Row("initializer_range", 0.02),
  }
  second_names: ClassVar[Mapping[str, str]] = {
    "num_attention_heads": "num_heads",
    "num_hidden_layers": "num_layers",
  }
  required: ClassVar[Mapping[str, Any]] = {}
  fixed = dataclasses.replace(
    Gpt2.fixed, attention_scaling=False, bias_except=("qkv",)
  )
  parts: ClassVar[Mapping[str, str]] = {
    "ln_1": "attention_norm",
    "attn.attention.q_proj": "attention.query",
    "attn.attention.k_proj": "attention.key",
    "attn.attention.v_proj": "attention.value",
    "attn.attention.out_proj": "attention.out",
    "ln_2": "feedforward_norm",
    "mlp.c_fc": "feedforward.up",
    "mlp.c_proj": "feedforward.down",
  }
  transpose = True
