"""Examples with labels, answered by a head on the whole text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.data.examples import Example
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.errors import UsageError, short
from lm_jax.finetuning.kinds import _reading, base
from lm_jax.finetuning.kinds.base import NO_LABEL, Encoded, Item


class Classify(base.Kind):
  """One item an example; too long texts are cut, and counted."""

  def options(self, task: Any, train: Sequence[Example]) -> Mapping[str, Any]:
    return {"labels": labels_of(task, train)}

  def texts(self, task: Any, examples: Sequence[Example]) -> Iterator[str]:
    for example in examples:
      yield from example.fields.values()

  def encode(
    self,
    task: Any,
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    length: int,
    options: Mapping[str, Any],
  ) -> Encoded:
    numbers = {label: i for i, label in enumerate(options["labels"])}
    for example in examples:
      if example.label not in numbers:
        raise UsageError(
          f"{task.name}, example {example.id}: label {short(example.label)}:"
          " was never seen in training; the model knows"
          f" {', '.join(numbers)}"
        )
    items, cut = [], 0
    for number, found in enumerate(
      _reading.of_examples(examples, tokenizer, length)
    ):
      label = numbers[examples[number].label]
      label_n = np.full(len(found.tokens), label, np.int32)
      items.append(Item(number, found.tokens, found.text, label_n))
      cut += found.cut
    return Encoded(items, cut)

  def answer(
    self, model: Any, task: Any, examples: Sequence[Example]
  ) -> list[str]:
    from lm_jax.finetuning import forward

    found = _reading.of_examples(examples, model.tokenizer, model.spec.length)
    items = [
      Item(i, r.tokens, r.text, np.full(len(r.tokens), NO_LABEL, np.int32))
      for i, r in enumerate(found)
    ]
    labels = model.objective.labels
    return [labels[int(x.argmax())] for x in forward.outputs(model, items)]


def labels_of(task: Any, train: Sequence[Example]) -> tuple[str, ...]:
  """The names of a task's labels: its own, or those that are trained on."""
  return task.form.labels or tuple(sorted({x.label for x in train}))
