"""Measures WNUT-17: rare and emerging entities in posts, six kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from lm_jax.examples.labelled import DEV, TEST, TRAIN
from lm_jax.tasks import _entities


class Wnut17(_entities.EntityTask):
  """Derczynski et al. 2017; entity F1 (their "F1 (entity)")."""

  names: ClassVar[Mapping[str, Sequence[str]]] = {
    TRAIN: ("wnut17train",),
    DEV: ("emerging.dev",),
    TEST: ("emerging.test.annotated", "emerging.test"),
  }
