"""Measures CMRC 2018: answers are spans of a passage of Chinese Wikipedia."""

from lm_jax.tasks import _cmrc
from lm_jax.tasks._files import Names, Splits


class Cmrc2018(_cmrc.ChineseReadingTask):
  """Cui et al. 2019; exact match and F1.

  Its test split is not public: the development split is measured, and the
  trial split chooses checkpoints, where there is one.
  """

  names = Names(
    train=("cmrc2018_train",),
    dev=("cmrc2018_trial", "trial"),
    test=("cmrc2018_dev",),
  )
  tfds = "huggingface:clue__clue/cmrc2018"
  splits = Splits(dev="trial", test="validation")
