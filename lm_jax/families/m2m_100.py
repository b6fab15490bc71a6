"""M2M-100 (Fan et al. 2020), NLLB (2022) too."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from lm_jax.families import _template
from lm_jax.families._fields import Fields
from lm_jax.families._table import Row
from lm_jax.families.bart import Bart
from lm_jax.families.base import VOCABULARY
from lm_jax.types import Trunk


def _read_offset(fields: Fields, trunk: Trunk) -> dict[str, Any]:
  padding = fields.integer("pad_token_id", 1, least=0)
  return {"position_offset": padding + 1}


class M2M100(Bart):
  """Transformers' M2M100Model: mBART with sines for positions.

  Positions are counted from after the padding's id, which has no sine.
  """

  title = "M2M-100"
  model_types = ("m2m_100",)
  template = _template.TRANSLATION
  classes: ClassVar[Mapping[str, tuple[str, ...]]] = {
    "M2M100ForConditionalGeneration": (VOCABULARY,),
    "M2M100Model": (),
  }
  # It has no token for what is hidden, so none of BART's denoising.
  objective = "prefix_lm"
  writes = ()
  # Old files hold the sines.
  ignored = (
    *Bart.ignored,
    r"embed_positions\.weights$",
  )
  rows: ClassVar[Mapping[str, Row]] = {
    **Bart.rows,
    "pad_token_id": Row(
      read=_read_offset, write=lambda t: max(t.position_offset - 1, 0)
    ),
  }
  defaults: ClassVar[Mapping[str, Any]] = {
    "vocab_size": 128112,
    "activation_function": "relu",
    "attention_dropout": 0.1,
    "scale_embedding": True,
  }
  fixed = dataclasses.replace(
    Bart.fixed,
    norm_placement="pre",
    embedding_norm=False,
    encoder_embeddings=False,
    positions="fairseq",
    output_bias=False,
  )

  def readings(self, trunk: Trunk) -> Iterable[Trunk]:
    return (trunk,)
