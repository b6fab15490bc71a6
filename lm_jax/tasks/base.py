"""The interface of what measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from lm_jax.examples import labelled
from lm_jax.examples.labelled import Example, Form
from lm_jax.support.errors import UsageError

# Items are the same for every run of an experiment, whatever its seed.
SEED = 0


@dataclasses.dataclass(frozen=True)
class Measure:
  """What a task found.

  metrics: by name; empty where the task does not apply.
  items: the score of each item, in an order that is the same for every model
    (it is what paired tests over items need), by metric.
  predictions: an object for each item, in that order, ready for JSON: "task",
    "id", "score" (1 is right, 0 wrong) and whatever shows what was asked and
    answered.
  scoring: what was read of the model where that is not its scores: "features".
  signatures: how metrics were computed, as their library signs it, by name.
  parts: of metrics of a part of the items, how items are parted: "term"; by
    name.
  """

  metrics: dict[str, float] = dataclasses.field(default_factory=dict)
  items: dict[str, list[float]] = dataclasses.field(default_factory=dict)
  predictions: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  scoring: str = ""
  signatures: dict[str, str] = dataclasses.field(default_factory=dict)
  parts: dict[str, str] = dataclasses.field(default_factory=dict)


class Task:
  """A yardstick that compares models of different objectives.

  To add one, write one file beside this one with one subclass.

  Attributes:
    limit: items, drawn by the seed; 0: all.
    seed: of that, and of what is sampled.
    asked_by: the flag that names it, for messages.
  """

  limit: int = 0
  seed: int = 0
  asked_by: str = "--tasks"

  # Cheap enough to be measured along the learning curve, on fewer items?
  quick: bool = False
  # The kind of scores that it needs, as Objective.scoring names it; "": any.
  scoring: ClassVar[str] = ""

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    """Measures a model.

    Args:
      scorer: the model (lm_jax/inference/score.py); no loss is computed here.
      dataset: what it was trained on (lm_jax/data/rows.py), of which only
        held-out text is scored.
      quick: on fewer items, for a learning curve.
    """
    raise NotImplementedError


class DataTask(Task):
  """A yardstick with data of its own, of TFDS or of local files.

  It is measured where it is asked for by name only.

  Attributes:
    place: of local files, as --task_data names it; "" for the default ones.
    samples: texts for each prompt, where the model writes.
    run_generated_code: may programs that the model wrote be run?
    embedder: a model (lm_jax/inference/score.py) whose features compare texts;
      None for the one that is measured.
  """

  place: str = ""
  samples: int = 1
  run_generated_code: bool = False
  embedder: Any = None

  @property
  def reads_corpus(self) -> bool:
    """Does it read the corpus that a model was trained on?"""
    return False

  @property
  def name(self) -> str:
    """That of its file."""
    return type(self).__module__.rpartition(".")[2]

  @property
  def flag(self) -> str:
    """Names its data in messages."""
    if self.place:
      return f"--task_data={self.name}={self.place}"
    return f"{self.asked_by}={self.name}"

  def error(self, what: str) -> UsageError:
    """What is wrong with its data."""
    return UsageError(f"{self.flag}: {what}")


class Judged(NamedTuple):
  """How good answers are.

  metrics: over all of them, by name.
  scores: of each, 0 to 1, for tests that pair two models' answers.
  """

  metrics: dict[str, float]
  scores: list[float]


class SupervisedTask(Task):
  """Examples with right answers, which a model can be fine-tuned on.

  By itself it measures nothing: how a model answers depends on how it was
  fine-tuned (lm_jax/finetuning).
  """

  # Which objective fine-tunes for it, where the architecture allows it; the
  # file of that name in lm_jax/finetuning/heads reads and answers examples.
  objective: ClassVar[str]
  # Another task whose fine-tuned models answer this one, too.
  answered_by: ClassVar[str] = ""
  # The metric that chooses between checkpoints and trials; higher is better.
  primary: ClassVar[str]
  # The one that did in runs whose checkpoints do not say which, where it was
  # another.
  former_primary: ClassVar[str] = ""

  @property
  def name(self) -> str:
    """That of its file."""
    return type(self).__module__.rpartition(".")[2]

  def examples(self, split: str, place: str = "") -> Sequence[Any]:
    """The examples of a split, in an order that never changes.

    Args:
      split: labelled.TRAIN, labelled.DEV or labelled.TEST.
      place: of local files, as --task_data names it; "" reads TFDS.

    Raises:
      UsageError: they can't be had, or what is wrong with one.
    """
    raise NotImplementedError

  def judge(self, predicted: Sequence[Any], examples: Sequence[Any]) -> Judged:
    """Compares answers with the right ones, by the task's own measures.

    Args:
      predicted: an answer for each example, in the form of its kind.
      examples: as `examples` gave them.
    """
    raise NotImplementedError

  def others(self, place: str = "") -> Mapping[str, Sequence[Any]]:
    """Further test sets, by name; what is found of them is "NAME_METRIC".

    Args:
      place: as in `examples`; what is not there is left out.
    """
    return {}

  def signatures(self, examples: Sequence[Any]) -> dict[str, str]:
    """How its metrics are computed, as their library signs it, by name."""
    return {}

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    return Measure()


class LabelledTask(SupervisedTask):
  """Examples with right answers: to be prompted for, or to be trained on.

  To add one, write one file beside this one with a subclass, and a template
  of its name (docs/prompting.md). By itself it measures nothing: the answers
  are asked for by `evaluate --shots`. One whose labels are candidate answers
  names `choices`, and says `objective = "multiple_choice"`.
  """

  objective = "classify"
  primary = "accuracy"

  form: ClassVar[Form]
  # Where each label stands for a candidate answer that is a text of the
  # example: the fields that hold those, in the order of the labels.
  choices: ClassVar[tuple[str, ...]] = ()

  def candidates(self, example: Example) -> Mapping[str, tuple[str, ...]]:
    """The texts of each candidate answer as multiple choice reads it, by label.

    By default the first of the example's other fields, and behind it the rest
    of them with the candidate as one text.
    """
    shared = [
      x for name, x in example.fields.items() if name not in self.choices
    ]
    found = {}
    for label, name in zip(self.form.labels, self.choices, strict=True):
      texts = (*shared[1:], example.fields[name])
      found[label] = (shared[0], " ".join(text for text in texts if text))
    return found

  def examples(self, split: str, place: str = "") -> list[Example]:
    if place:
      flag = f"--task_data={self.name}"
      return labelled.from_files(self.form, place, flag, split)
    asked = f"{self.asked_by}={self.name}"
    return labelled.from_tfds(self.form, asked, split)

  def metrics(
    self, predicted: Sequence[str], right: Sequence[str]
  ) -> dict[str, float]:
    """What is customary for it besides accuracy, by name."""
    return {}

  def measures(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> dict[str, float]:
    """As `metrics`, where these depend on more than the right answers.

    Args:
      predicted: an answer for each example.
      examples: of which id and label are told.
    """
    return self.metrics(predicted, [example.label for example in examples])

  def written(self, example: Example) -> str:
    """The right answer as a model is taught to write it."""
    return example.label

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> Judged:
    require_equal(predicted, examples, self.name)
    right = [example.label for example in examples]
    told = list(predicted)
    if not self.form.labels:
      told, right = (list(map(self.normal, texts)) for texts in (told, right))
    scores = [float(p == r) for p, r in zip(told, right, strict=True)]
    accuracy = sum(scores) / max(len(scores), 1)
    found = {"accuracy": accuracy} | self.measures(told, examples)
    return Judged(found, scores)

  def normal(self, answer: str) -> str:
    """The form in which two answers in free text are compared."""
    return " ".join(answer.split()).strip(" .。．").casefold()


def require_equal(predicted: Any, examples: Any, what: str) -> None:
  """Raises UsageError where there is not one answer for each example."""
  if len(predicted) != len(examples):
    raise UsageError(
      f"{what}: {len(predicted)} answers to {len(examples)} examples; must be"
      " one each"
    )
