"""Examples with a number each, answered by a head of one output."""

from __future__ import annotations

import numpy as np

from lm_jax.finetuning.heads._whole_texts import WholeTexts
from lm_jax.finetuning.heads.base import Encoded


class Regress(WholeTexts):
  """One item an example; too long texts are cut, and counted.

  Example.label is a number; Item.label has its float32 as it lies in memory.
  """

  def encode(self, task, examples, tokenizer, length, options) -> Encoded:
    scores_N = np.array([float(x.label) for x in examples], np.float32)
    return self.items(examples, tokenizer, length, scores_N.view(np.int32))

  def answer(self, model, task, examples) -> list[float]:
    return [float(x[0]) for x in self.logits(model, examples)]
