"""Measures WMT: translated news; WMT16 English to German by default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lm_jax.examples.labelled import DEV, TEST
from lm_jax.tasks import _generated


class Wmt(_generated.TranslationTask):
  """Bojar et al. 2016; BLEU and chrF.

  --task_data names another TFDS set, wmt14_translate/fr-en:en-fr, or files.
  """

  names: ClassVar[Mapping[str, Sequence[str]]] = {
    DEV: ("newstest2013",),
    TEST: ("newstest2014", "newstest2016"),
  }
  tfds = "wmt16_translate/de-en"
