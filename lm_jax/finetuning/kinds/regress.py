"""Examples with a number each, answered by a head of one output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.data.examples import Example
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.finetuning.kinds import _reading, base
from lm_jax.finetuning.kinds.base import NO_LABEL, Encoded, Item


class Regress(base.Kind):
  """One item an example; too long texts are cut, and counted.

  Example.label is a number; Item.label has its float32 as it lies in memory.
  """

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
    scores_N = np.array([float(x.label) for x in examples], np.float32)
    items, cut = [], 0
    for number, (found, bits) in enumerate(
      zip(
        _reading.of_examples(examples, tokenizer, length),
        scores_N.view(np.int32),
        strict=True,
      )
    ):
      label_n = np.full(len(found.tokens), bits, np.int32)
      items.append(Item(number, found.tokens, found.text, label_n))
      cut += found.cut
    return Encoded(items, cut)

  def answer(
    self, model: Any, task: Any, examples: Sequence[Example]
  ) -> list[float]:
    from lm_jax.finetuning import forward

    found = _reading.of_examples(examples, model.tokenizer, model.spec.length)
    items = [
      Item(i, r.tokens, r.text, np.full(len(r.tokens), NO_LABEL, np.int32))
      for i, r in enumerate(found)
    ]
    return [float(x[0]) for x in forward.outputs(model, items)]
