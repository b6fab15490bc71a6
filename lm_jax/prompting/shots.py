"""Draws of the training examples that stand before an item.

A draw is a set of examples for all items, a function of the task's training
split, the seed and the draw's number alone: every model gets the same.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from lm_jax.examples.labelled import Example


class Draw:
  """One draw of examples.

  Args:
    train: the training split.
    seed, number: of the draw.
  """

  def __init__(self, train: Sequence[Example], seed: int, number: int):
    self._name = f"{seed} {number}"
    rng = random.Random(self._name)
    by_label: dict[str, list[Example]] = {}
    for example in train:
      by_label.setdefault(example.label, []).append(example)
    self._queues = [by_label[label] for label in sorted(by_label)]
    rng.shuffle(self._queues)
    for queue in self._queues:
      rng.shuffle(queue)

  def examples(self, count: int, item: Example | None = None) -> list[Example]:
    """Draws `count` examples, with labels as equally frequent as possible.

    Fewer examples are a subset of more; their order is shuffled.

    Args:
      count: fewer come where the split has no more.
      item: what they stand before; no example has its texts.
    """
    texts = dict(item.fields) if item is not None else None
    queues = [
      (e for e in queue if texts is None or dict(e.fields) != texts)
      for queue in self._queues
    ]
    chosen = _in_turn(queues, count)
    # By the draw alone, so that an item that is left out changes no order.
    random.Random(f"{self._name} {count}").shuffle(chosen)
    return chosen


def _in_turn(queues: Iterable[Iterable[Example]], count: int) -> list[Example]:
  waiting = [iter(queue) for queue in queues]
  chosen: list[Example] = []
  while waiting and len(chosen) < count:
    for queue in list(waiting):
      example = next(queue, None)
      if example is None:
        waiting.remove(queue)
      elif len(chosen) < count:
        chosen.append(example)
  return chosen
