"""Measures entities in any CoNLL file; by default English CoNLL-2003."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lm_jax.examples.labelled import DEV, TEST, TRAIN
from lm_jax.tasks import _entities


class Conll(_entities.EntityTask):
  """Tjong Kim Sang and De Meulder 2003, or local files; entity F1."""

  names: ClassVar[Mapping[str, Sequence[str]]] = {
    TRAIN: ("eng.train",),
    DEV: ("eng.testa", "testa"),
    TEST: ("eng.testb", "testb"),
  }
  tfds = "conll2003/conll2003"

  def from_tfds(self, split):
    return _entities.conll2003(split, f"--task={self.name}")
