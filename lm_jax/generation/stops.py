"""Strings that end a text, looked for in what a model made."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from lm_jax.data.tokenizer import Tokenizer
from lm_jax.types import Array


@dataclasses.dataclass(frozen=True)
class Stops:
  """Tells inside a compiled search which texts a string has ended.

  Equal ones, of one tokenizer, are of one program.

  tokenizer: of the ids.
  strings: any of which ends a text, special tokens' names included.
  """

  tokenizer: Tokenizer = dataclasses.field(compare=False)
  strings: tuple[str, ...]
  fingerprint: str

  @classmethod
  def from_strings(cls, tokenizer: Tokenizer, strings: Sequence[str]) -> Stops:
    return cls(tokenizer, tuple(strings), tokenizer.fingerprint)

  def among(self, tokens_BxKxL: Array, size: Array) -> Array:
    """Returns whether each text of `size` new tokens holds one: bool [B, K]."""
    shape = jax.ShapeDtypeStruct(tokens_BxKxL.shape[:2], bool)
    return jax.pure_callback(self._found, shape, tokens_BxKxL, size)

  def _found(self, tokens_BxKxL: Array, size: Array) -> np.ndarray:
    texts_BxKxL = np.asarray(tokens_BxKxL)[:, :, : int(size)]
    return np.array([[self.hold(ids) for ids in row] for row in texts_BxKxL])

  def hold(self, ids: Sequence[int]) -> bool:
    text = self.tokenizer.decode(ids, skip_special_tokens=False)
    return any(stop in text for stop in self.strings)
