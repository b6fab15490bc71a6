"""XLM-RoBERTa (Conneau et al. 2020): RoBERTa in a hundred languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from lm_jax.families.roberta import Roberta


class XlmRoberta(Roberta):
  """Transformers' XLMRobertaModel: a RoBERTa by another name."""

  title = "XLM-RoBERTa"
  model_types = ("xlm-roberta",)
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    f"XLM{name}": outputs for name, outputs in Roberta.classes.items()
  }
  defaults: ClassVar[Mapping[str, Any]] = {"vocab_size": 30522}
