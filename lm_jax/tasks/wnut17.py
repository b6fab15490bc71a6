"""Measures WNUT-17: rare and emerging entities in posts, six kinds."""

from lm_jax.tasks import _entities
from lm_jax.tasks._files import Names


class Wnut17(_entities.EntityTask):
  """Derczynski et al. 2017; entity F1 (their "F1 (entity)")."""

  names = Names(
    train=("wnut17train",),
    dev=("emerging.dev",),
    test=("emerging.test.annotated", "emerging.test"),
  )
