"""Defines the interface of tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from lm_jax.examples import labelled
from lm_jax.examples.labelled import Example, Form
from lm_jax.support.errors import UsageError

# Space and full stops, of every script, around an answer in free text.
STOPS = " .。．｡।॥۔։።။។᠃"

# Items are the same for every run of an experiment, for any seed.
SEED = 0


@dataclasses.dataclass(frozen=True)
class Measure:
  """Results of a task.

  metrics: by name; empty if the task does not apply.
  items: scores of all items by metric, in the same order for every model, as
    paired tests over items need it.
  predictions: an object for each item, in that order, ready for JSON: "task",
    "id", "score" (1 is right, 0 wrong), and the question and the answer.
  scoring: what was read from the model if not its scores, such as "features".
  signatures: settings of metrics in their library's own notation, by name.
  parts: for metrics of a part of the items, the level of the part, such as
    "term"; by name.
  constant: tasks that were answered alike whatever was asked; see `constant`.
  likelihood: of bits per byte, its "kind", its "estimator" and the share of
    "unknown" tokens; of a bound, also its "standard_error" and "lengths"; see
    lm_jax/tasks/bits_per_byte.py.
  """

  metrics: dict[str, float] = dataclasses.field(default_factory=dict)
  items: dict[str, list[float]] = dataclasses.field(default_factory=dict)
  predictions: list[dict[str, Any]] = dataclasses.field(default_factory=list)
  scoring: str = ""
  signatures: dict[str, str] = dataclasses.field(default_factory=dict)
  parts: dict[str, str] = dataclasses.field(default_factory=dict)
  constant: list[str] = dataclasses.field(default_factory=list)
  likelihood: dict[str, Any] = dataclasses.field(default_factory=dict)


# Fewer items may well have one answer.
_FEWEST = 10


def constant(predictions: Sequence[Mapping[str, Any]]) -> list[str]:
  """Names the tasks whose items all have one answer, which is not always right.

  predictions: with "task", "score", and what was said as "answer" or
    "predicted".
  """
  by_task: dict[str, list[Mapping[str, Any]]] = {}
  for prediction in predictions:
    by_task.setdefault(str(prediction["task"]), []).append(prediction)
  collapsed = []
  for task, listed in by_task.items():
    said = {repr(p.get("answer", p.get("predicted"))) for p in listed}
    wrong = any(p["score"] < 1 for p in listed)
    if len(listed) >= _FEWEST and said != {"None"} and len(said) == 1 and wrong:
      collapsed.append(task)
  return collapsed


class Task:
  """A measure that can compare models of different objectives.

  To add one, write one file beside this one with one subclass.

  Attributes:
    limit: number of items, drawn by the seed; 0: all.
    seed: for drawing items and for sampling.
    asked_by: the flag that names it, for messages.
  """

  limit: int = 0
  seed: int = 0
  asked_by: str = "--tasks"

  # Whether it is cheap enough for the learning curve, on fewer items.
  quick: bool = False
  # Whether it needs the likelihood of a text, or a bound on it.
  needs_likelihood: ClassVar[bool] = False

  @property
  def name(self) -> str:
    """Name of its file."""
    return type(self).__module__.rpartition(".")[2]

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    """Measures a model.

    Args:
      scorer: the model (lm_jax/inference/score.py); no loss is computed here.
      dataset: its training data (lm_jax/data/rows.py); only held-out text is
        scored.
      quick: use fewer items, for a learning curve.
    """
    raise NotImplementedError

  def why_not(self, scorer: Any, dataset: Any) -> str:
    """Says why `measure` gave nothing; "" where the task itself can't tell.

    Args:
      scorer, dataset: as of `measure`.
    """
    return ""


class DataTask(Task):
  """A task with its own data, from TFDS or from local files.

  It is measured only if it is named.

  Attributes:
    place: of local files, from --task_data; "": the default data.
    samples: texts to generate for each prompt.
    run_generated_code: whether programs of the model may be run.
    embedder: a model (lm_jax/inference/score.py) whose features compare texts;
      None: the measured model.
  """

  place: str = ""
  samples: int = 1
  run_generated_code: bool = False
  embedder: Any = None

  @property
  def reads_corpus(self) -> bool:
    """True if it reads the corpus that a model was trained on."""
    return False

  @property
  def flag(self) -> str:
    """The flag that names its data, for messages."""
    if self.place:
      return f"--task_data={self.name}={self.place}"
    return f"{self.asked_by}={self.name}"

  def error(self, what: str) -> UsageError:
    """Makes an error about its data."""
    return UsageError(f"{self.flag}: {what}")


class Judged(NamedTuple):
  """Scores of answers.

  metrics: over all answers, by name.
  scores: of each answer, 0 to 1, for tests that pair the answers of two models.
  """

  metrics: dict[str, float]
  scores: list[float]


class SupervisedTask(Task):
  """A task with right answers, on which a model can be fine-tuned.

  By itself it measures nothing: the way a model answers depends on its
  fine-tuning (lm_jax/finetuning).
  """

  # The objective for fine-tuning, if the architecture allows it; the file of
  # that name in lm_jax/finetuning/heads reads and answers examples.
  objective: ClassVar[str]
  # Another task whose fine-tuned models also answer this one.
  answered_by: ClassVar[str] = ""
  # The metric that chooses between checkpoints and trials; higher is better.
  primary: ClassVar[str]
  # The former one, if different, for runs whose checkpoints do not name it.
  former_primary: ClassVar[str] = ""

  # Of translations: how BLEU splits words (_bleu.py); "": as a model's
  # --objective.bleu has it.
  bleu: str = ""

  def require(self, examples: Sequence[Any]) -> None:
    """Raises UsageError if a library of its measures is not installed.

    examples: which may decide what is needed.
    """

  def examples(self, split: str, place: str = "") -> Sequence[Any]:
    """Returns the examples of a split, always in the same order.

    Args:
      split: labelled.TRAIN, labelled.DEV or labelled.TEST.
      place: of local files, from --task_data; "" reads TFDS.

    Raises:
      UsageError: they are not available, or one is not valid.
    """
    raise NotImplementedError

  def judge(self, predicted: Sequence[Any], examples: Sequence[Any]) -> Judged:
    """Compares answers with the right ones, by the task's own measures.

    Args:
      predicted: an answer for each example, in the form of its objective.
      examples: from `examples`.
    """
    raise NotImplementedError

  def others(self, place: str = "") -> Mapping[str, Sequence[Any]]:
    """Returns further test sets by name; their metrics are "NAME_METRIC".

    Args:
      place: see `examples`; missing test sets are left out.
    """
    return {}

  def signatures(self, examples: Sequence[Any]) -> dict[str, str]:
    """Returns settings of metrics in their library's notation, by name."""
    return {}

  def measure(self, scorer: Any, dataset: Any, quick: bool = False) -> Measure:
    return Measure()


class LabelledTask(SupervisedTask):
  """A task with right answers, for prompting or for fine-tuning.

  To add one, write one file beside this one with a subclass, and a template
  of its name (docs/prompting.md). By itself it measures nothing;
  `evaluate --shots` asks for the answers. A task whose labels are candidate
  answers sets `choices` and `objective = "multiple_choice"`.
  """

  objective = "classify"
  primary = "accuracy"

  form: ClassVar[Form]
  # If each label stands for a candidate answer in the example: the fields that
  # hold these, in the order of the labels.
  choices: ClassVar[tuple[str, ...]] = ()

  def candidates(self, example: Example) -> Mapping[str, tuple[str, ...]]:
    """Returns the texts of each candidate for multiple choice, by label.

    By default these are the first of the example's other fields, and the rest
    of them with the candidate as one text.
    """
    shared = [
      x for name, x in example.fields.items() if name not in self.choices
    ]
    texts_by_label = {}
    for label, name in zip(self.form.labels, self.choices, strict=True):
      texts = (*shared[1:], example.fields[name])
      texts_by_label[label] = (
        shared[0],
        " ".join(text for text in texts if text),
      )
    return texts_by_label

  def examples(self, split: str, place: str = "") -> list[Example]:
    if place:
      flag = f"--task_data={self.name}"
      return labelled.from_files(self.form, place, flag, split)
    asked = f"{self.asked_by}={self.name}"
    return labelled.from_tfds(self.form, asked, split)

  def metrics(
    self, predicted: Sequence[str], right: Sequence[str]
  ) -> dict[str, float]:
    """Returns its usual metrics besides accuracy, by name."""
    return {}

  def measures(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> dict[str, float]:
    """Returns `metrics`; overridden if these depend on whole examples.

    Args:
      predicted: an answer for each example.
      examples: with their ids and labels.
    """
    return self.metrics(predicted, [example.label for example in examples])

  def written(self, example: Example) -> str:
    """Returns the right answer as a model is taught to write it."""
    return example.label

  def judge(
    self, predicted: Sequence[str], examples: Sequence[Example]
  ) -> Judged:
    require_equal(predicted, examples, self.name)
    right = [example.label for example in examples]
    answers = list(predicted)
    if not self.form.labels:
      answers, right = (
        list(map(self.normal, texts)) for texts in (answers, right)
      )
    scores = [float(p == r) for p, r in zip(answers, right, strict=True)]
    accuracy = sum(scores) / max(len(scores), 1)
    metrics = {"accuracy": accuracy} | self.measures(answers, examples)
    return Judged(metrics, scores)

  def normal(self, answer: str) -> str:
    """Normalizes an answer in free text for comparison."""
    return " ".join(answer.split()).strip(STOPS).casefold()


def require_equal(predicted: Any, examples: Any, what: str) -> None:
  """Raises UsageError unless there is one answer for each example."""
  if len(predicted) != len(examples):
    raise UsageError(
      f"{what}: {len(predicted)} answers to {len(examples)} examples; must be"
      " one each"
    )
