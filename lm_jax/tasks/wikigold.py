"""WikiGold: entities in Wikipedia, of the four kinds of CoNLL-2003."""

from __future__ import annotations

from lm_jax.tasks import _entities


class Wikigold(_entities.EntityTask):
  """Balasuriya et al. 2009; entity F1.

  One file without splits: its last tenth is tested on, the tenth before
  chooses checkpoints. The tags are IOB1, and are read as IOB2.
  """
