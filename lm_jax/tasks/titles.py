"""Titles that find their texts: pairs of a collection without judgements."""

from __future__ import annotations

import dataclasses

from lm_jax.examples import collection as collection_lib
from lm_jax.examples import labelled, searches
from lm_jax.examples.searches import Search
from lm_jax.tasks import _retrieval


class Titles(_retrieval.Retrieval):
  """Learns from (title, text), and is judged by the test queries.

  Checkpoints are chosen by how well held-out titles, one in ten, find
  their texts, so that no judgement is seen before the test.
  """

  def examples(self, split: str, place: str = "") -> list[Search]:
    if split == labelled.TEST:
      return super().examples(split, place)
    found = self.collection(place)
    pairs = searches.titles(found)
    held = searches.held_out(pair.id for pair in pairs)
    if split == labelled.TRAIN:
      return [pair for pair in pairs if pair.id not in held]
    texts = {pair.id: pair.positives[0] for pair in pairs}
    bodies = dataclasses.replace(
      collection_lib.from_texts(found.name, texts),
      relevance={name: {name: 1} for name in held},
    )
    return [
      dataclasses.replace(pair, collection=bodies)
      for pair in pairs
      if pair.id in held
    ]
