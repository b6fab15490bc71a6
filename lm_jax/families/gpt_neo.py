"""GPT-Neo (Black et al. 2021): GPT-3's dense and local layers in turn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families._fields import ACTIVATION_NAMES, Fields
from lm_jax.families.base import (
  BLOCKS,
  EMBEDDER,
  VOCABULARY,
  Tensor,
  linear,
  norm,
  same,
)
from lm_jax.families.gpt2 import Gpt2
from lm_jax.types import Trunk

SECOND_NAMES = {
  "num_attention_heads": "num_heads",
  "num_hidden_layers": "num_layers",
}
KINDS = ("global", "local")


class GptNeo(Gpt2):
  """Transformers' GPTNeoModel: heads as GPT-2's, and layers of its own.

  Attention scores are not scaled; queries, keys and values have no bias.
  """

  title: ClassVar[str] = "GPT-Neo"
  model_types: ClassVar[tuple[str, ...]] = ("gpt_neo",)
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "GPTNeoForCausalLM": (VOCABULARY,),
    "GPTNeoModel": (),
    "GPTNeoForSequenceClassification": ("classification",),
    "GPTNeoForTokenClassification": ("tokens",),
    "GPTNeoForQuestionAnswering": ("span",),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("GPTNeoModel",)
  writes: ClassVar[tuple[str, ...]] = ()
  ignored: ClassVar[tuple[str, ...]] = (r"\.attn\.attention\.(masked_)?bias$",)

  def trunk(self, fields: Fields) -> Trunk:
    fields = fields.renamed(SECOND_NAMES)
    width = fields.integer("hidden_size", 2048)
    heads = fields.integer("num_heads", 16)
    layers = fields.count_of_layers("num_layers", 24)
    window = fields.integer("window_size", 256)
    kinds = _kinds(fields, layers)
    return Trunk(
      architecture="causal_decoder",
      vocabulary=fields.integer("vocab_size", 50257),
      width=width,
      layers=layers,
      heads=heads,
      feedforward=fields.integer("intermediate_size", 4 * width),
      activation=fields.activation("activation_function", "gelu_new"),
      max_positions=fields.integer("max_position_embeddings", 2048),
      norm_epsilon=fields.number("layer_norm_epsilon", 1e-5),
      positions="learned",
      attention_scaling=False,
      bias=True,
      bias_except=("qkv",),
      windows=tuple(window if kind == "local" else 0 for kind in kinds),
      tied=fields.flag("tie_word_embeddings", True),
      types_are_tokens=True,
      dropout=fields.number("resid_dropout", 0),
      attention_dropout=fields.number("attention_dropout", 0),
      initializer_range=fields.number("initializer_range", 0.02),
    )

  def config(self, trunk: Trunk) -> dict[str, Any]:
    kinds = [KINDS[window > 0] for window in trunk.windows]
    repeats, rest = divmod(trunk.layers, len(kinds))
    types = [[kinds, repeats]] if repeats else []
    if rest:
      types.append([kinds[:rest], 1])
    return {
      "vocab_size": trunk.vocabulary,
      "hidden_size": trunk.width,
      "num_layers": trunk.layers,
      "num_heads": trunk.heads,
      "intermediate_size": trunk.feedforward,
      "activation_function": ACTIVATION_NAMES.get(trunk.activation, "gelu_new"),
      "max_position_embeddings": trunk.max_positions,
      "attention_types": types,
      "window_size": max(trunk.windows) or 256,
      "layer_norm_epsilon": trunk.norm_epsilon,
      "tie_word_embeddings": trunk.tied,
      "embed_dropout": trunk.dropout,
      "resid_dropout": trunk.dropout,
      "attention_dropout": trunk.attention_dropout,
      "initializer_range": trunk.initializer_range,
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from same("wte.weight", f"{EMBEDDER}.embedding")
    yield from same("wpe.weight", f"{EMBEDDER}.position_embedding")
    for i in range(trunk.layers):
      theirs, ours = f"h.{i}", f"{BLOCKS}.layer_{i}"
      attention = f"{theirs}.attn.attention"
      yield from norm(f"{theirs}.ln_1", f"{ours}.attention_norm")
      for part, name in (
        ("q_proj", "query"),
        ("k_proj", "key"),
        ("v_proj", "value"),
        ("out_proj", "out"),
      ):
        yield from linear(f"{attention}.{part}", f"{ours}.attention.{name}")
      yield from norm(f"{theirs}.ln_2", f"{ours}.feedforward_norm")
      for part, name in (("c_fc", "up"), ("c_proj", "down")):
        yield from linear(f"{theirs}.mlp.{part}", f"{ours}.feedforward.{name}")
    yield from norm("ln_f", f"{BLOCKS}.final_norm")


def _kinds(fields: Fields, layers: int) -> list[str]:
  """Of attention, layer by layer.

  attention_layers lists them; attention_types is run-length encoded, and
  Transformers takes it only where there is no list.
  """
  listed = fields.values.get("attention_layers")
  if listed is not None:
    name, valid = "attention_layers", f"{layers} of {' and '.join(KINDS)}"
    found = listed
  else:
    name = "attention_types"
    valid = f'a list as [[["global", "local"], N]] of {layers} layers in all'
    pairs = fields.values.get(name) or [[["global", "local"], 12]]
    try:
      # A count may be anything, and is multiplied out.
      if any(not 0 < int(count) <= layers for _, count in pairs):
        raise fields.error(name, valid)
      found = [kind for kinds, count in pairs for kind in count * kinds]
    except (TypeError, ValueError):
      raise fields.error(name, valid) from None
  is_list = isinstance(found, list) and len(found) == layers
  if not is_list or any(kind not in KINDS for kind in found):
    raise fields.error(name, valid)
  return found
