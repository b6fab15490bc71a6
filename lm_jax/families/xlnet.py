"""XLNet (Yang et al. 2019)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template, base
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
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
_PROJECTIONS = {
  "q": "query",
  "k": "key",
  "v": "value",
  "r": "position",
  "o": "out",
}
_BIASES = {
  "r_w_bias": "content_bias",
  "r_r_bias": "position_bias",
  "r_s_bias": "segment_bias",
  "seg_embed": "segment_embedding",
}


class XLNet(base.Family):
  """Transformers' XLNetModel: post-norm, relative distances, a memory.

  A text is read as x <sep> <cls>, padded in front. Heads that read a text
  skip padding, which Transformers reads where it stands last or, for a mean,
  anywhere.
  """

  title = "XLNet"
  model_types = ("xlnet",)
  template = _template.XLNET
  prefix = "transformer."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 5,
    "bos_token_id": 1,
    "eos_token_id": 2,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "XLNetLMHeadModel": (base.VOCABULARY,),
    "XLNetModel": (),
    "XLNetForSequenceClassification": ("classification",),
    "XLNetForMultipleChoice": ("choice",),
    "XLNetForTokenClassification": ("tokens",),
    "XLNetForQuestionAnsweringSimple": ("span",),
  }
  objective = "permutation_lm"
  writes = ("permutation_lm",)

  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 32000),
    "d_model": Row("width", 1024),
    "n_layer": Row("layers", 24),
    "n_head": Row("heads", 16),
    "d_inner": Row("feedforward", 4096),
    "ff_activation": Row("activation", "gelu"),
    "attn_type": Row("architecture", "bi", names=_DIRECTIONS),
    "layer_norm_eps": Row("norm_epsilon", 1e-12),
    "tie_word_embeddings": Row("tied", True),
    "dropout": Row("dropout", 0.1, also=("attention_dropout",)),
    "initializer_range": Row("initializer_range", 0.02),
  }
  second_names: ClassVar[Mapping[str, str]] = {
    "n_token": "vocab_size",
    "hidden_size": "d_model",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
  }
  required: ClassVar[Mapping[str, Any]] = {
    "clamp_len": -1,
    "same_length": False,
    "bi_data": False,
    "untie_r": True,
  }
  fixed = Trunk(
    norm_placement="post",
    positions="xlnet",
    query_embedding=True,
    bias=True,
    bias_except=("qkv", "out"),
    output_bias=True,
  )
  # Besides the attention's tensors, which are [D, H, K].
  parts: ClassVar[Mapping[str, str]] = {
    "rel_attn.layer_norm": "attention_norm",
    "ff.layer_1": "feedforward.up",
    "ff.layer_2": "feedforward.down",
    "ff.layer_norm": "feedforward_norm",
  }
  output = ("", "", "lm_loss")
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = dict.fromkeys(
    ("classification", "choice"), ("sequence_summary.summary", "logits_proj")
  )

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    causal = trunk.architecture == "causal_decoder"
    return "clm" if causal else self.objective

  def trunk(self, fields: Fields) -> Trunk:
    trunk = super().trunk(fields)
    fields.require(d_head=trunk.width // trunk.heads)
    return trunk

  def heads(self, fields: Fields) -> dict[str, Head]:
    summary = Head(0, "last", "tanh")
    if fields.is_class("SequenceClassification", "MultipleChoice"):
      fields.require(summary_use_proj=True)
      summary = Head(
        0,
        fields.choice("summary_type", _SUMMARIES, "last"),
        fields.activation("summary_activation", "tanh"),
      )
    return base.standard_heads(fields.labels(), summary)

  def tensors(self, trunk: Trunk) -> Iterable[base.Tensor]:
    split = (trunk.width, trunk.heads, trunk.width // trunk.heads)
    yield from base.same("word_embedding.weight", f"{base.EMBEDDER}.embedding")
    yield from base.same(
      "mask_emb", f"{base.EMBEDDER}.query_embedding", shape=(1, 1, trunk.width)
    )
    for i in range(trunk.layers):
      theirs, ours = f"layer.{i}.", f"{base.BLOCKS}.layer_{i}."
      for part, name in _PROJECTIONS.items():
        yield from base.same(
          f"{theirs}rel_attn.{part}",
          f"{ours}attention.{name}.kernel",
          shape=split,
          transpose=name == "out",
        )
      for part, name in _BIASES.items():
        yield from base.same(
          f"{theirs}rel_attn.{part}", f"{ours}attention.{name}"
        )
      yield from base.modules(theirs, ours, self.parts)
