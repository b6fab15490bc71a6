"""Measures WMT: translated news; WMT16 English to German by default."""

from lm_jax.tasks import _generated
from lm_jax.tasks._files import Names


class Wmt(_generated.TranslationTask):
  """Bojar et al. 2016; BLEU and chrF.

  --task_data names another TFDS set, wmt14_translate/fr-en:en-fr, or files.
  """

  names = Names(dev=("newstest2013",), test=("newstest2014", "newstest2016"))
  tfds = "wmt16_translate/de-en"
