"""The interface of what measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from lm_jax.data import labelled
from lm_jax.data.labelled import Example, Form

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


class LabelledTask(Task):
  """Examples with right answers: to be prompted for, or to be trained on.

  To add one, write one file beside this one with a subclass, and a template
  of its name (docs/prompting.md). By itself it measures nothing: the answers
  are asked for by `evaluate --shots`.
  """

  form: ClassVar[Form]

  @property
  def name(self) -> str:
    """That of its file."""
    return type(self).__module__.rpartition(".")[2]

  def examples(self, split: str, place: str = "") -> list[Example]:
    """The examples of a split, in an order that never changes.

    Args:
      split: labelled.TRAIN or labelled.TEST.
      place: of local files (lm_jax/data/labelled.py); "" reads TFDS.

    Raises:
      UsageError: they can't be had, or what is wrong with one.
    """
    if place:
      flag = f"--task_data={self.name}"
      return labelled.from_files(self.form, place, flag, split)
    return labelled.from_tfds(self.form, f"--tasks={self.name}", split)

  def metrics(
    self, predicted: Sequence[str], right: Sequence[str]
  ) -> dict[str, float]:
    """What is customary for it besides accuracy, by name."""
    return {}

  def normal(self, answer: str) -> str:
    """The form in which two answers in free text are compared."""
    return " ".join(answer.split()).strip(" .").casefold()

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    return Measure()
