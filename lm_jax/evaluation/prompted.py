"""Tasks with labels, asked by prompts: rows and predictions of each."""

from __future__ import annotations

import collections
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.evaluation.results import PROMPT, Outcome, Row
from lm_jax.examples import labelled
from lm_jax.examples.labelled import Example
from lm_jax.loaded_model import Trained
from lm_jax.prompting import cloze, in_context, judges, template
from lm_jax.prompting.in_context import Prediction, Result
from lm_jax.prompting.pairs import ChoiceScorer
from lm_jax.prompting.prompt import Prompter
from lm_jax.prompting.reasoning import Writer
from lm_jax.tasks import base
from lm_jax.tasks.base import LabelledTask

_VOTE = "vote"


class Examples(NamedTuple):
  """The examples to show, if any, and the items to ask."""

  train: Sequence[Example]
  items: Sequence[Example]


def examples(task: LabelledTask, asked: EvaluateFlags) -> Examples:
  """Loads the examples of a task; raises UsageError if there are too few."""
  shots = max(asked.counts)
  place = asked.places.get(task.name, "")
  train = task.examples(labelled.TRAIN, place) if shots else []
  in_context.require_examples(task.name, train, shots)
  items = task.examples(labelled.TEST, place)
  return Examples(train, in_context.chosen(items, asked.limit, asked.seed))


class Questions:
  """A task with labels, asked by prompts.

  Args:
    task: with labels.
    data: what is shown and asked.
    model: with a tokenizer.
    asked: the flags.

  Raises:
    UsageError: the model can't be asked so.
  """

  def __init__(
    self,
    task: LabelledTask,
    data: Examples,
    model: Trained,
    asked: EvaluateFlags,
  ):
    name = asked.template or judges.template_for(task.name, model)
    self._prompter = Prompter(task, template.load(name), cloze.BLANK)
    own_template = self._prompter.template
    self._judge: ChoiceScorer | Writer = judges.make(
      model, own_template, asked.samples
    )
    judges.require_correction(asked.correction, self._judge, own_template)
    self._name, self._data, self._asked = task.name, data, asked

  @property
  def _headline(self) -> str:
    """The correction of the headline accuracy."""
    return _VOTE if isinstance(self._judge, Writer) else self._asked.correction

  def outcome(self, tell: Callable[[Sequence[Row]], None]) -> Outcome:
    """Asks; `tell` gets the rows of each number of shots as they come."""
    rows: list[Row] = []
    records: list[dict[str, Any]] = []
    fields = {item.id: item.fields for item in self._data.items}
    for count in self._asked.counts:
      result = in_context.measure(
        *(self._prompter, self._judge, *self._data),
        *(count, self._asked.draws, self._asked.seed),
      )
      new_rows = self._rows(result)
      tell(new_rows)
      rows += new_rows
      records += [
        self._record(count, p, fields[p.id]) for p in result.predictions
      ]
    return Outcome(self._name, tuple(rows), tuple(records))

  def _rows(self, result: Result) -> list[Row]:
    judge, labels = self._judge, self._prompter.labels
    samples = judge.samples if isinstance(judge, Writer) else None
    counts = collections.Counter(item.label for item in self._data.items)
    how: dict[str, Any] = {
      "items": result.items,
      "way": PROMPT,
      "scoring": judge.kind,
      "shots": result.shots,
      "draws": result.draws,
      "samples": samples,
      "template": self._prompter.template.where.partition("=")[2],
      "cut": result.cut,
      "shots_dropped": result.dropped,
      "constant": self._is_constant(result),
    }
    guessed: dict[str, Any] = {}
    if labels:
      most = max(counts.values()) / len(self._data.items)
      guessed = {"chance": 1 / len(labels), "commonest": most}
    rows = []
    for name, estimate in result.accuracy.items():
      own = how | {"headline": name == self._headline}
      own |= {"correction": "" if samples else name}
      accuracy: dict[str, Any] = own | guessed
      accuracy |= {"low": estimate.low, "high": estimate.high}
      rows.append(Row(self._name, "accuracy", estimate.value, **accuracy))
      rows += [
        Row(self._name, metric, value, **own)
        for metric, value in result.metrics[name].items()
      ]
    return rows

  def _is_constant(self, result: Result) -> bool:
    """Returns whether all items have one answer in every draw."""
    said = [
      {"task": "", "score": p.right[self._headline]}
      | {"answer": p.predicted[self._headline]}
      for p in result.predictions
    ]
    return bool(base.constant(said))

  def _record(
    self, shots: int, found: Prediction, fields: Mapping[str, str]
  ) -> dict[str, Any]:
    """Returns the record of an item and a draw."""
    record: dict[str, Any] = {
      "task": self._name,
      "id": found.id,
      "score": found.right[self._headline],
      "asked": dict(fields),
      "right": found.label,
      "answer": found.predicted[self._headline],
      "shots": shots,
      "draw": found.draw,
      "examples": found.shots,
    }
    if found.texts:
      return record | {"texts": found.texts}
    return record | {
      "choices": self._prompter.labels,
      "choice_scores": found.scores,
      "choice_answers": found.predicted,
    }
