"""Texts as they grow, and what becomes of them."""

from __future__ import annotations

from typing import NamedTuple

from lm_jax.generation.options import Generation
from lm_jax.generation.text import Unfolding, until


class Generated(NamedTuple):
  """One text.

  prompt: its number.
  text: new text only; "" without a tokenizer.
  ids: new tokens, the one that ended it included.
  score: sum of the log-probabilities of its tokens as they were chosen; of a
    beam search, its penalized score.
  finish: "end" (a token that ends texts), "stop" (a string) or "length".
  """

  prompt: int
  text: str
  ids: list[int]
  score: float
  finish: str


class Growing:
  """A text that gets longer until it ends."""

  def __init__(
    self,
    prompt: int,
    unfolding: Unfolding | None,
    options: Generation,
    ends: tuple[int, ...],
  ):
    self._prompt = prompt
    self._unfolding = unfolding
    self._stops = options.stop_strings
    self._ends = ends
    self._ids: list[int] = []
    self._text = ""
    self._score = 0.0
    self.finish = ""

  def grow(self, ids: list[int], score: float, last: bool) -> str:
    """Takes all new tokens so far; the piece of text that they add."""
    if self.finish:
      return ""
    new = ids[len(self._ids) :]
    for place, token in enumerate(new):
      if token in self._ends:
        new, self.finish = new[: place + 1], "end"
        break
    if not self.finish and last:
      self.finish = "length"
    self._ids += new
    self._score = score
    if self._unfolding is None:
      return ""
    piece = self._unfolding.put(new, last=bool(self.finish))
    cut = until(self._text + piece, self._stops)
    if cut is not None:
      piece, self.finish = cut[len(self._text) :], "stop"
    self._text += piece
    return piece

  def result(self) -> Generated:
    return Generated(
      self._prompt, self._text, self._ids, self._score, self.finish
    )
