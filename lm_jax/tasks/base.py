"""The interface of what measures."""

from __future__ import annotations

import dataclasses
from typing import Any

# Items are the same for every run of an experiment, whatever its seed.
SEED = 0


@dataclasses.dataclass(frozen=True)
class Measure:
  """What a task found.

  metrics: by name; empty where the task does not apply.
  items: the score of each item, in an order that is the same for every model
    (it is what paired tests over items need), by metric.
  """

  metrics: dict[str, float] = dataclasses.field(default_factory=dict)
  items: dict[str, list[float]] = dataclasses.field(default_factory=dict)


class Task:
  """A yardstick that compares models of different objectives.

  To add one, write one file beside this one with one subclass.
  """

  # Cheap enough to be measured along the learning curve, on fewer items?
  quick: bool = False

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    """Measures a model.

    Args:
      scorer: the model (lm_jax/score.py); no loss is computed here.
      dataset: what it was trained on (lm_jax/data/rows.py), of which only
        held-out text is scored.
      quick: on fewer items, for a learning curve.
    """
    raise NotImplementedError
