"""Measures DRCD: answers are spans of a passage in traditional Chinese."""

from lm_jax.tasks import _cmrc
from lm_jax.tasks._files import Names, Splits


class Drcd(_cmrc.ChineseReadingTask):
  """Shao et al. 2018; exact match and F1, by CMRC 2018's script."""

  names = Names(
    train=("DRCD_training",), dev=("DRCD_dev",), test=("DRCD_test",)
  )
  tfds = "huggingface:clue__clue/drcd"
  splits = Splits()
