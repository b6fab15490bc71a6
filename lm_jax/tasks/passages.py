"""Pairs of a query and its passage in JSONL, with hard negatives or none."""

from __future__ import annotations

from lm_jax.examples import labelled, searches
from lm_jax.examples.searches import Search
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _retrieval


class Passages(_retrieval.Retrieval):
  """{"query", "positive", "negatives"} a line, in PATH_train.jsonl and so on.

  The passages of a split's file are what its queries are searched in.
  """

  def examples(self, split: str, place: str = "") -> list[Search]:
    if not place:
      raise UsageError(
        f"--task_data={self.name}=PATH: needed, PATH of PATH_train.jsonl,"
        " PATH_dev.jsonl and PATH_test.jsonl"
      )
    flag = f"--task_data={self.name}"
    path = labelled.file_of(place, flag, split)
    if path is not None and split != labelled.TRAIN:
      return searches.read_pairs(path)
    train = labelled.file_of(place, flag, labelled.TRAIN)
    if train is None:
      return []
    found = searches.read_pairs(train)
    if labelled.file_of(place, flag, labelled.DEV) is None:
      held = searches.held_out(search.id for search in found)
      choosing = split == labelled.DEV
      found = [x for x in found if (x.id in held) == choosing]
    return searches.pairs(found) if split == labelled.TRAIN else found
