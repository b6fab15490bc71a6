"""Texts as they grow, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from lm_jax.generation.options import Generation
from lm_jax.generation.text import IncrementalDecoder, overhang

# Makes the text of ids that arrive: with the names of special tokens, or
# without.
MakeDecoder = Callable[[bool], IncrementalDecoder]


class Generated(NamedTuple):
  """A generated text.

  prompt: its number.
  text: new text only; "" without a tokenizer.
  ids: new tokens, the one that ended it or completed a stop string included.
  score: sum of the log-probabilities of its tokens as they were chosen; of a
    beam search, its penalized score.
  finish: "end" (a token that ends texts), "stop" (a string) or "length".
  """

  prompt: int
  text: str
  ids: list[int]
  score: float
  finish: str


class TextStream:
  """A text that grows until it ends.

  Args:
    prompt: its number.
    make_decoder: makes its text; None without a tokenizer.
    options: of the generation.
    ends: ids that end a text.
  """

  def __init__(
    self,
    prompt: int,
    make_decoder: MakeDecoder | None,
    options: Generation,
    ends: tuple[int, ...],
  ):
    self._prompt = prompt
    self._decoder = make_decoder(False) if make_decoder else None
    self._stops = options.stop_strings
    # Stop strings may be names of special tokens, which no text shows.
    self._special_decoder = (
      make_decoder(True) if make_decoder and self._stops else None
    )
    self._raw = ""
    self._ends = ends
    self._ids: list[int] = []
    self._logs: list[float] = []
    self._text = ""
    self.finish = ""

  def grow(self, ids: Sequence[int], logs: Sequence[float], last: bool) -> str:
    """Takes all new tokens so far, and returns the text that they add.

    Args:
      ids: chosen tokens, those of earlier calls included.
      logs: the log-probability with which each was chosen.
      last: whether no more will come.
    """
    piece = ""
    while len(self._ids) < len(ids) and not self.finish:
      # One by one where each may complete a stop string.
      done = len(self._ids)
      upto = done + 1 if self._stops else len(ids)
      piece += self._take(ids[done:upto], logs, last and upto == len(ids))
    if last and not self.finish:
      self.finish = "length"
      piece += self._put([], True)
    return piece

  def _take(self, new: Sequence[int], logs: Sequence[float], last: bool) -> str:
    for place, token in enumerate(new):
      if token in self._ends:
        new, self.finish = new[: place + 1], "end"
        break
    self._ids += new
    self._logs += logs[len(self._logs) : len(self._ids)]
    return self._put(new, last or bool(self.finish))

  def _put(self, new: Sequence[int], last: bool) -> str:
    """Returns the text that tokens add, up to the end of a stop string."""
    if self._decoder is None:
      return ""
    piece = self._decoder.decode(new, last)
    if self._special_decoder is not None:
      self._raw += self._special_decoder.decode(new, last)
      over = overhang(self._raw, self._stops)
      if over is not None:
        self.finish = "stop"
        if over and piece.endswith(over):
          piece = piece[: -len(over)]
    self._text += piece
    return piece

  def result(self) -> Generated:
    score = (
      float(np.cumsum(self._logs, dtype=np.float32)[-1]) if self._logs else 0.0
    )
    return Generated(self._prompt, self._text, self._ids, score, self.finish)
