"""Examples with labels, answered by a head on the whole text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.examples.forms import Example
from lm_jax.finetuning.heads._whole_texts import WholeTexts
from lm_jax.finetuning.heads.base import Encoded
from lm_jax.support.errors import UsageError, short


class Classify(WholeTexts):
  """One item an example; too long texts are cut, and counted."""

  def options(self, task: Any, train: Sequence[Example]) -> Mapping[str, Any]:
    # The task's own, or those that are trained on.
    labels = task.form.labels or tuple(sorted({x.label for x in train}))
    return {"labels": labels}

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    numbers = {label: i for i, label in enumerate(options["labels"])}
    for example in examples:
      if example.label not in numbers:
        raise UsageError(
          f"{task.name}, example {example.id}: label {short(example.label)}:"
          " was never seen in training; the model knows"
          f" {', '.join(numbers)}"
        )
    label_N = np.array([numbers[x.label] for x in examples], np.int32)
    return self.items(examples, tokenizer, length, label_N)

  def answer(self, model, task, examples) -> list[str]:
    labels = model.objective.labels
    return [labels[int(x.argmax())] for x in self.logits(model, examples)]
