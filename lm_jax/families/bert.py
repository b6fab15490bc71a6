"""BERT (Devlin et al. 2019), with the pair head of next sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _bert_like, _template
from lm_jax.families._fields import Fields
from lm_jax.families._template import Template
from lm_jax.families.base import (
  OUTPUT,
  VOCABULARY,
  Family,
  Tensor,
  linear,
  norm,
  same,
  token_ids,
)
from lm_jax.types import Head, Specials, Trunk


class Bert(Family):
  """Transformers' BertModel: post-norm, learned positions, token types."""

  title: ClassVar[str] = "BERT"
  model_types: ClassVar[tuple[str, ...]] = ("bert",)
  template: ClassVar[Template] = _template.BERT
  prefix: ClassVar[str] = "bert."
  token_defaults: ClassVar[Mapping[str, int]] = {
    "pad_token_id": 0,
  }
  # Files from before 2021 have a pooler that their class does not use.
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "BertForMaskedLM": (VOCABULARY, "pooler?"),
    "BertForPreTraining": (VOCABULARY, "pair"),
    "BertModel": ("pooler?",),
    "BertForNextSentencePrediction": ("pair",),
    "BertForSequenceClassification": ("classification",),
    "BertForMultipleChoice": ("choice",),
    "BertForTokenClassification": ("tokens", "pooler?"),
    "BertForQuestionAnswering": ("span", "pooler?"),
  }
  base_classes: ClassVar[tuple[str, ...]] = ("BertModel",)
  objective: ClassVar[str] = "mlm"
  writes: ClassVar[tuple[str, ...]] = ("mlm", "mlm_nsp")
  ignored: ClassVar[tuple[str, ...]] = (r"embeddings\.position_ids$",)

  def objective_for(self, trunk: Trunk, outputs: Iterable[str]) -> str:
    return "mlm_nsp" if {VOCABULARY, "pair"} <= set(outputs) else "mlm"

  def trunk(self, fields: Fields) -> Trunk:
    return _bert_like.trunk(fields)

  def config(self, trunk: Trunk) -> dict[str, Any]:
    return _bert_like.config(trunk)

  def heads(self, fields: Fields) -> dict[str, Head]:
    labels = fields.labels()
    return {
      "pooler": Head(0, "first", "tanh"),
      "pair": Head(2, "first", "tanh"),
      "classification": Head(labels, "first", "tanh"),
      "choice": Head(1, "first", "tanh"),
      "tokens": Head(labels),
      "span": Head(2),
    }

  def tensors(self, trunk: Trunk) -> Iterable[Tensor]:
    yield from _bert_like.embeddings()
    yield from _bert_like.layers(trunk)

  def outputs(self, name: str, trunk: Trunk) -> Iterable[Tensor]:
    if name == VOCABULARY:
      head = "cls.predictions"
      yield from linear(
        f"{head}.transform.dense", f"{OUTPUT}.transform", top=True
      )
      yield from norm(f"{head}.transform.LayerNorm", f"{OUTPUT}.norm", top=True)
      bias = "bias" if trunk.tied else "decoder.bias"
      yield from same(f"{head}.{bias}", f"{OUTPUT}.bias", top=True)
      yield from same(f"{head}.decoder.weight", f"{OUTPUT}.embedding", top=True)
      return
    ours = f"heads_{name}"
    yield from linear("pooler.dense", f"{ours}.dense")
    theirs = {"pair": "cls.seq_relationship", "span": "qa_outputs"}
    yield from linear(theirs.get(name, "classifier"), f"{ours}.out", top=True)

  def copies(self, trunk: Trunk) -> Mapping[str, str]:
    head = "cls.predictions"
    if not trunk.tied:
      return {}
    table = f"{self.prefix}embeddings.word_embeddings.weight"
    return {
      f"{head}.decoder.bias": f"{head}.bias",
      f"{head}.decoder.weight": table,
    }

  def duplicates(self, trunk: Trunk) -> Mapping[str, str]:
    head = "cls.predictions"
    return {} if trunk.tied else {f"{head}.bias": f"{head}.decoder.bias"}

  def tokens(self, specials: Specials) -> dict[str, int]:
    return token_ids(pad_token_id=specials.pad)
