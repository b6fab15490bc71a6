"""Measures Multi30k: translated descriptions of photographs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lm_jax.examples.labelled import TEST
from lm_jax.tasks import _generated


class Multi30k(_generated.TranslationTask):
  """Elliott et al. 2016 (en, de, fr, cs); BLEU and chrF on test2016."""

  names: ClassVar[Mapping[str, Sequence[str]]] = {
    TEST: ("test_2016_flickr", "test2016", "test_2016"),
  }
