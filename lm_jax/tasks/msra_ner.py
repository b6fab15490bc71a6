"""Measures MSRA NER: entities of three kinds in Chinese news, by character."""

from lm_jax.tasks import _entities
from lm_jax.tasks._files import Names


class MsraNer(_entities.EntityTask):
  """Levow 2006; entity F1.

  Kinds are PER, ORG and LOC. It has no development split: a tenth of a single
  file chooses checkpoints, or a file of yours.
  """

  names = Names(
    train=("msra_train_bio", "msra_train"), test=("msra_test_bio", "msra_test")
  )
