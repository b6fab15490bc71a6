"""Measures entities in any CoNLL file; by default English CoNLL-2003."""

from __future__ import annotations

from collections.abc import Iterator

from lm_jax.examples.files import Source
from lm_jax.examples.forms import Tagged
from lm_jax.tasks import _entities
from lm_jax.tasks._files import Names, Splits

# Tags by their numbers in TFDS.
TAGS = (
  *("O", "B-PER", "I-PER", "B-ORG", "I-ORG"),
  *("B-LOC", "I-LOC", "B-MISC", "I-MISC"),
)


class Conll(_entities.EntityTask):
  """Tjong Kim Sang and De Meulder 2003, or local files; entity F1."""

  names = Names(("eng.train",), ("eng.testa", "testa"), ("eng.testb", "testb"))
  tfds = "conll2003/conll2003"
  splits = Splits(dev="dev")

  def made(self, source: Source) -> Iterator[Tagged]:
    for _, name, record in source:
      tags = [x if isinstance(x, str) else TAGS[x] for x in record["ner"]]
      yield Tagged(name, tuple(record["tokens"]), tuple(tags))
