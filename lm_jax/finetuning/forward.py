"""Outputs of a fine-tuned model's head, for items packed as in training."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from lm_jax.devices import sharding
from lm_jax.finetuning import packing
from lm_jax.finetuning.heads.base import Item
from lm_jax.inference.score import exact
from lm_jax.loaded_model import Trained
from lm_jax.types import Rows

BATCH = 8


def outputs(model: Trained, items: Sequence[Item]) -> list[np.ndarray]:
  """Computes each item's logits, float32: [n, size] by token, or [size].

  Those of multiple choice are the scores of its candidates.

  Args:
    model: fine-tuned by a supervised objective with a head.
    items: of at most model.spec.length tokens.
  """
  length, pad = model.spec.length, model.spec.specials.pad
  most = packing.most_examples(length, model.config.data.packing)
  shape = packing.Shape(length, 0, most)
  rows = packing.pack(packing.sizes(items), np.arange(len(items)), shape)
  run = _compiled(model.objective, model.measuring, model.spec)
  by_item: list[np.ndarray | None] = [None] * len(items)
  for first in range(0, len(rows), BATCH):
    chosen = rows[first : first + BATCH]
    laid = packing.lay(items, chosen, shape, pad, BATCH)
    values = sharding.fetch(run(model.params, laid))
    for row, members in enumerate(chosen):
      at = 0
      for segment, number in enumerate(members):
        size = len(items[number].tokens)
        by_token = values.shape[1] == length
        here = slice(at, at + size) if by_token else segment
        by_item[number] = values[row, here]
        at += size
  return [x for x in by_item if x is not None]


@functools.lru_cache(maxsize=8)
def _compiled(objective, network, spec):
  def run(net, rows: Rows):
    return objective.outputs(net, rows, spec)

  return exact(run, network)
