"""Ids to text as they come: whole characters only, and stop strings."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.data.tokenizer import Tokenizer

# What decoders put for bytes that are not a character (yet).
_HALF = "\ufffd"


class Unfolding:
  """The text of ids that arrive one after the other.

  Args:
    tokenizer: of the ids.
    before: ids in front, which are not part of the text but may change how it
      begins (a space that a first word loses).
  """

  def __init__(self, tokenizer: Tokenizer, before: Sequence[int] = ()):
    self._tokenizer = tokenizer
    self._ids = list(before)
    # Decoding a few ids of context again costs less than all of the text.
    self._start = max(0, len(self._ids) - 8)
    self._shown = self._decode()

  def put(self, ids: Sequence[int], last: bool = False) -> str:
    """What is certain of the text after these ids, and was not before.

    Characters whose bytes are not all there are held back, unless it is the
    `last` call.
    """
    self._ids.extend(ids)
    whole = self._decode()
    if not last and whole.endswith(_HALF):
      return ""
    # A decoder may take back what it has shown only where it was half.
    found = whole[len(self._shown) :]
    self._start = max(self._start, len(self._ids) - 8)
    self._shown = self._decode()
    return found

  def _decode(self) -> str:
    return self._tokenizer.decode(self._ids[self._start :])


def until(text: str, stops: Sequence[str]) -> str | None:
  """The text up to the end of the first stop string in it, or None.

  >>> until("one. two. three", [". t", "."])
  'one.'
  """
  ends = [
    (text.index(stop) + len(stop)) for stop in stops if stop and stop in text
  ]
  return text[: min(ends)] if ends else None
