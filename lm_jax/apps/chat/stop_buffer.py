"""An answer as it comes, of which nothing that was shown is taken back."""

from __future__ import annotations

from collections.abc import Sequence


class StopBuffer:
  """An answer as it comes: what may begin a stop string is held back.

  White space around it is no part of it.

  Attributes:
    text: of the answer, so far.
  """

  def __init__(self, stops: Sequence[str]):
    self._stops = stops
    self._all = self.text = self._shown = ""

  def put(self, piece: str) -> None:
    """Takes what comes next."""
    self._all += piece

  def news(self, last: bool = False) -> str:
    """Returns the text that is certain and new; if `last`, all the rest."""
    self.text = self._certain(last).strip()
    piece = self.text[len(self._shown) :]
    self._shown += piece
    return piece

  def _certain(self, last: bool) -> str:
    whole = without(self._all, self._stops)
    if last or len(whole) < len(self._all):
      return whole
    most = max(
      (
        size
        for stop in self._stops
        for size in range(1, len(stop))
        if self._all.endswith(stop[:size])
      ),
      default=0,
    )
    return self._all[: len(self._all) - most]


def without(text: str, stops: Sequence[str]) -> str:
  """The text without the stop string that it ends with."""
  endings = (stop for stop in stops if text.endswith(stop))
  return text.removesuffix(next(endings, ""))
