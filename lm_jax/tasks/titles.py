"""Measures search after training on titles and texts of a collection."""

from __future__ import annotations

import dataclasses

from lm_jax.examples import collection as collection_lib
from lm_jax.examples import labelled, searches
from lm_jax.examples.searches import Search
from lm_jax.tasks import _retrieval


class Titles(_retrieval.Retrieval):
  """Trains on (title, text), and is judged by the test queries.

  One in ten titles is held out; their search for their texts chooses
  checkpoints, so that no judgement is seen before the test.
  """

  def examples(self, split: str, place: str = "") -> list[Search]:
    if split == labelled.TEST:
      return super().examples(split, place)
    collection = self.collection(place)
    pairs = searches.titles(collection)
    held = searches.held_out(pair.id for pair in pairs)
    if split == labelled.TRAIN:
      return [pair for pair in pairs if pair.id not in held]
    texts = {pair.id: pair.positives[0] for pair in pairs}
    bodies = dataclasses.replace(
      collection_lib.from_texts(collection.name, texts),
      relevance={name: {name: 1} for name in held},
    )
    return [
      dataclasses.replace(pair, collection=bodies)
      for pair in pairs
      if pair.id in held
    ]
