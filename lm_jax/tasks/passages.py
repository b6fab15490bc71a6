"""Measures search with pairs of a query and its passage in JSONL."""

from __future__ import annotations

from lm_jax.examples import labelled, searches
from lm_jax.examples.searches import Search
from lm_jax.support.errors import UsageError
from lm_jax.tasks import _retrieval


class Passages(_retrieval.Retrieval):
  """Reads {"query", "positive", "negatives"} lines, in PATH_train.jsonl etc.

  The queries of a split's file search the passages of that file.
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
    pairs = searches.read_pairs(train)
    if labelled.file_of(place, flag, labelled.DEV) is None:
      held = searches.held_out(search.id for search in pairs)
      choosing = split == labelled.DEV
      pairs = [x for x in pairs if (x.id in held) == choosing]
    return searches.pairs(pairs) if split == labelled.TRAIN else pairs
