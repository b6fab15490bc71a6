"""Prompts of a task: shots and the item, rendered and cut to the context."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lm_jax.examples.labelled import Example
from lm_jax.prompting.pairs import Sizes
from lm_jax.prompting.template import MASK, Template
from lm_jax.support import errors
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import LabelledTask

# Brown et al. 2020, section 2.4: what stands before a choice on its own.
NEUTRAL = "Answer:"


class Prompt(NamedTuple):
  """A prompt of a model.

  text: of the prompt.
  shots: the examples in it, in their order.
  dropped: how many did not fit.
  cut: whether the item alone does not fit.
  """

  text: str
  shots: tuple[Example, ...]
  dropped: int
  cut: bool

  @property
  def shots_ids(self) -> tuple[str, ...]:
    return tuple(example.id for example in self.shots)


class Prompter:
  """A template for the examples of a task.

  Args:
    task: the examples' task.
    template: for them.
    blank: what stands for the mask of a cloze.

  Raises:
    UsageError: they don't fit each other.

  Attributes:
    labels: the labels of the choices, in their order; () of free text.
  """

  def __init__(self, task: LabelledTask, template: Template, blank: str):
    self.task, self.template = task, template
    self._blank = blank
    form, where = task.form, template.where
    for field in template.fields:
      if field not in form.fields and field not in template.defaults:
        raise UsageError(
          f"{where}: field {field}: {task.name} has none; it has"
          f" {', '.join(form.fields)}"
        )
    self._texts: dict[str, str] = {}
    for name, text in template.choices:
      with errors.about(where):
        label = form.name_of(name)
      if label in self._texts:
        raise UsageError(f"{where}: choices: two texts for the label {label}")
      self._texts[label] = text
    self.labels: tuple[str, ...] = tuple(self._texts)
    if template.choice_fields:
      self.labels = form.labels[: len(template.choice_fields)]
      if len(form.labels) != len(template.choice_fields):
        raise UsageError(
          f"{where}: choices: {task.name} has {len(form.labels)} labels"
        )
    elif template.choices:
      for label in form.labels:
        if label not in self._texts:
          raise UsageError(f"{where}: choices: no text for the label {label}")
    elif not template.answer_pattern:
      raise UsageError(
        f"{where}: has neither choices nor answer_pattern to answer"
        f" {task.name} with"
      )
    if template.reason and template.reason not in form.fields:
      raise UsageError(
        f"{where}: reason={template.reason}: {task.name} has no such field"
      )

  @property
  def neutral(self) -> str:
    """Renders a prompt that says nothing of the item."""
    if self.template.cloze:
      return f"{NEUTRAL} {self._blank}"
    return NEUTRAL

  def read(self, answer: str) -> str:
    """Reads a written answer for comparison: a label where it names one."""
    normal = self.task.normal
    by_text = {normal(text): label for label, text in self._texts.items()}
    return by_text.get(normal(answer), normal(answer))

  def choices(self, example: Example) -> list[str]:
    """Renders the choices, in the order of `labels`.

    An example may have fewer: the last ones are empty.
    """
    if self.template.choice_fields:
      texts = [example.fields[name] for name in self.template.choice_fields]
      while texts and not texts[-1]:
        texts.pop()
      return texts
    return list(self._texts.values())

  def fields(self, example: Example) -> dict[str, str]:
    """The fields that the template uses."""
    return {
      name: example.fields[name]
      for name in self.template.fields
      if name in example.fields
    }

  def bare(self, fields: Mapping[str, str]) -> str:
    """Renders a prompt without shots, with a blank for the mask."""
    if self.template.cloze:
      fields = {**fields, MASK: self._blank}
    return self.template.render(fields)

  def shot(self, example: Example) -> str:
    """Renders an example with its answer."""
    answer = self._answer(example)
    if self.template.cloze:
      return self.template.render({**self.fields(example), MASK: answer})
    prompt = self.template.render(self.fields(example))
    return prompt + self.template.prefix + answer

  def _answer(self, example: Example) -> str:
    template = self.template
    if template.reason:
      return example.fields[template.reason]
    if not self.labels:
      return example.label
    return self.choices(example)[self.place(example)]

  def place(self, example: Example) -> int:
    """Returns the index of the right choice among the labels.

    Raises:
      UsageError: the template has no text for it.
    """
    if example.label not in self.labels:
      raise UsageError(
        f"{self.template.where}: choices: no text for the label"
        f" {example.label[:80]}"
      )
    return self.labels.index(example.label)

  def prompt(
    self,
    fields: Mapping[str, str],
    choices: Sequence[str],
    shots: Sequence[Example],
    judge: Sizes,
    spare: int = 0,
  ) -> Prompt:
    """Renders the item after its shots; the first shots are dropped to fit.

    Args:
      fields: of the item.
      choices: with what stands before them; "" where text is generated.
      shots: whole or not at all.
      judge: knows sizes.
      spare: tokens that are left free besides.
    """
    own = self.bare(fields)
    texts = [self.shot(example) for example in shots]
    for dropped in range(len(texts) + 1):
      text = self.template.separator.join([*texts[dropped:], own])
      fits = not judge.room or judge.size(text, choices) + spare <= judge.room
      if fits:
        return Prompt(text, tuple(shots[dropped:]), dropped, False)
    return Prompt(text, (), len(texts), True)
