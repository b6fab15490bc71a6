"""Reads examples whose texts a head answers as a whole, for several kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.examples.forms import Example
from lm_jax.finetuning.heads import _reading, base
from lm_jax.finetuning.heads.base import NO_LABEL, Encoded, Item


class WholeTexts(base.Kind):
  """One item an example; too long texts are cut, and counted."""

  def items(
    self,
    examples: Sequence[Example],
    tokenizer: Tokenizer,
    length: int,
    label_N: np.ndarray,
  ) -> Encoded:
    """The items of examples, each of whose tokens has the example's label.

    Args:
      examples: N of them.
      tokenizer: of the model.
      length: the most tokens of an item.
      label_N: int32.
    """
    read = _reading.of_examples(examples, tokenizer, length)
    items = [
      Item(i, x.tokens, x.text, np.full(len(x.tokens), label, np.int32))
      for i, (x, label) in enumerate(zip(read, label_N, strict=True))
    ]
    return Encoded(items, sum(x.cut for x in read))

  def logits(self, model: Any, examples: Sequence[Example]) -> list[np.ndarray]:
    """Computes the outputs of a fine-tuned head, each float32 [size]."""
    from lm_jax.finetuning import forward

    none_N = np.full(len(examples), NO_LABEL, np.int32)
    tokenizer, length = model.tokenizer, model.spec.length
    encoded = self.items(examples, tokenizer, length, none_N)
    return forward.outputs(model, encoded.items)
