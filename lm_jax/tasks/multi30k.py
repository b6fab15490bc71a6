"""Measures Multi30k: translated descriptions of photographs."""

from lm_jax.tasks import _generated
from lm_jax.tasks._files import Names


class Multi30k(_generated.TranslationTask):
  """Elliott et al. 2016 (en, de, fr, cs); BLEU and chrF on test2016."""

  names = Names(test=("test_2016_flickr", "test2016", "test_2016"))
