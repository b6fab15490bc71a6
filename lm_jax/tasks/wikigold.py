"""Measures WikiGold: entities in Wikipedia, of the kinds of CoNLL-2003."""

from lm_jax.tasks import _entities


class Wikigold(_entities.EntityTask):
  """Balasuriya et al. 2009; entity F1.

  It is one file without splits: its last tenth is for testing, the tenth before
  it chooses checkpoints. The tags are IOB1, and are read as IOB2.
  """
