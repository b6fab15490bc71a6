"""BART (Lewis et al. 2020)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template, base
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.models.transformer import encoder_of
from lm_jax.types import Head, Trunk


class Bart(base.Family):
  """Transformers' BartModel: post-norm, learned positions in each stack.

  The encoder and the decoder have position tables and a norm of the
  embeddings of their own, and one table of tokens. Its heads read the
  decoder, which reads the encoder's input shifted by one.
  """

  title = "BART"
  model_types = ("bart",)
  template = _template.ROBERTA
  prefix = "model."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 2,
  }
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "BartForConditionalGeneration": (base.VOCABULARY,),
    "BartModel": (),
    "BartForSequenceClassification": ("classification",),
    "BartForQuestionAnswering": ("span",),
  }
  objective = "denoising"
  writes: ClassVar[tuple[str, ...]] = ("denoising",)
  ignored: ClassVar[tuple[str, ...]] = (r"(encoder|decoder)\.version$",)
  token_keys: ClassVar[Mapping[str, str]] = {
    **base.Family.token_keys,
    "decoder_start_token_id": "start",
  }
  rows: ClassVar[Mapping[str, Row]] = {
    "vocab_size": Row("vocabulary", 50265),
    "d_model": Row("width", 1024),
    "decoder_layers": Row("layers", 12),
    "decoder_attention_heads": Row("heads", 16),
    "decoder_ffn_dim": Row("feedforward", 4096),
    "encoder_layers": Row("encoder_layers", 12, zero=lambda t: t.layers),
    "encoder_attention_heads": Row("encoder_heads", 16, zero=lambda t: t.heads),
    "encoder_ffn_dim": Row(
      "encoder_feedforward", 4096, zero=lambda t: t.feedforward
    ),
    "activation_function": Row("activation", "gelu"),
    "max_position_embeddings": Row("max_positions", 1024, zero=1024),
    "scale_embedding": Row("embedding_scaling", False),
    "tie_word_embeddings": Row("tied", True),
    "dropout": Row("dropout", 0.1),
    "attention_dropout": Row("attention_dropout", 0.0),
    "init_std": Row("initializer_range", 0.02),
  }
  # The number of labels of a config.json without one.
  labels: ClassVar[int] = 3
  second_names: ClassVar[Mapping[str, str]] = {
    "num_attention_heads": "encoder_attention_heads",
    "hidden_size": "d_model",
    "num_hidden_layers": "encoder_layers",
  }
  required: ClassVar[Mapping[str, Any]] = {
    "is_decoder": False,
    "is_encoder_decoder": True,
  }
  fixed = Trunk(
    architecture="encoder_decoder",
    norm_placement="post",
    embedding_norm=True,
    encoder_embeddings=True,
    positions="learned",
    position_offset=2,
    bias=True,
    output_bias=True,
  )
  # The layers of either stack; a norm stands with each part, the last one too.
  parts: ClassVar[Mapping[str, str]] = {
    "self_attn.q_proj": "attention.query",
    "self_attn.k_proj": "attention.key",
    "self_attn.v_proj": "attention.value",
    "self_attn.out_proj": "attention.out",
    "self_attn_layer_norm": "attention_norm",
    "encoder_attn.q_proj": "cross_attention.query",
    "encoder_attn.k_proj": "cross_attention.key",
    "encoder_attn.v_proj": "cross_attention.value",
    "encoder_attn.out_proj": "cross_attention.out",
    "encoder_attn_layer_norm": "cross_attention_norm",
    "fc1": "feedforward.up",
    "fc2": "feedforward.down",
    "final_layer_norm": "feedforward_norm",
  }
  head_modules: ClassVar[Mapping[str, tuple[str, str]]] = {
    "classification": (
      "classification_head.dense",
      "classification_head.out_proj",
    ),
  }
  text_head = Head(0, "end", "tanh")

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    # A file may go without the output's bias, which is 0 then.
    return trunk, dataclasses.replace(trunk, output_bias=False)

  def heads(self, fields: Fields) -> dict[str, Head]:
    return super().heads(fields.otherwise(num_labels=self.labels))

  def tensors(self, trunk: Trunk) -> Iterable[base.Tensor]:
    yield from base.same("shared.weight", f"{base.EMBEDDER}.embedding")
    for stack, prefix in (("encoder", "encoder_"), ("decoder", "")):
      tables = {
        "embed_positions": "position_embedding",
        "layernorm_embedding": "norm",
      }
      yield from base.modules(f"{stack}.", f"{base.EMBEDDER}.{prefix}", tables)
    for stack, home, layers in (
      ("encoder", base.ENCODER, encoder_of(trunk).layers),
      ("decoder", base.BLOCKS, trunk.layers),
    ):
      for i in range(layers):
        theirs, ours = f"{stack}.layers.{i}.", f"{home}.layer_{i}."
        yield from base.modules(theirs, ours, self.parts)
      yield from base.modules(
        f"{stack}.", f"{home}.", {"layer_norm": "final_norm"}
      )

  def outputs(self, name: str, trunk: Trunk) -> Iterable[base.Tensor]:
    if name != base.VOCABULARY:
      yield from super().outputs(name, trunk)
      return
    shape = (1, trunk.vocabulary)
    yield from base.same("lm_head.weight", f"{base.OUTPUT}.embedding", top=True)
    yield from base.same(
      "final_logits_bias", f"{base.OUTPUT}.bias", shape=shape, top=True
    )

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    return {**base.stack_tables("", self.prefix), **super().copies(trunk)}

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    # Untied, each stack of Transformers has a table of tokens of its own.
    return {} if trunk.tied else base.stack_tables("", self.prefix)
