"""An answer as it comes, of which nothing that was shown is taken back."""

from __future__ import annotations

from collections.abc import Sequence


class StopBuffer:
  """Holds back the end of a growing answer that may begin a stop string.

  White space around it is no part of it.

  Attributes:
    text: of the answer, so far.
  """

  def __init__(self, stops: Sequence[str]):
    self._stops = stops
    self._all = self.text = self._shown = ""

  def append(self, piece: str) -> None:
    """Adds the next piece of the answer."""
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
  """Removes the stop string at the end of a text."""
  endings = (stop for stop in stops if text.endswith(stop))
  return text.removesuffix(next(endings, ""))
