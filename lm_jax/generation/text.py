"""Ids to text as they come: whole characters only, and stop strings."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.data.tokenizer import Tokenizer

# What decoders put for bytes that are not a character (yet).
_HALF = "\ufffd"


class IncrementalDecoder:
  """Decodes ids that arrive one after the other.

  Args:
    tokenizer: of the ids.
    before: ids in front, which are not part of the text but may change how it
      begins (a space that a first word loses).
    special: whether the names of special tokens are part of it.
  """

  def __init__(
    self,
    tokenizer: Tokenizer,
    before: Sequence[int] = (),
    special: bool = False,
  ):
    self._tokenizer, self._skip = tokenizer, not special
    self._ids = list(before)
    # Decoding a few ids of context again costs less than all of the text.
    self._start = max(0, len(self._ids) - 8)
    self._shown = self._decode()

  def decode(self, ids: Sequence[int], last: bool = False) -> str:
    """Adds ids, and returns the text that is now certain and was not before.

    Characters whose bytes are not all there are held back, unless it is the
    `last` call.
    """
    self._ids.extend(ids)
    whole = self._decode()
    if not last and whole.endswith(_HALF):
      return ""
    # A decoder may take back what it has shown only where it was half.
    piece = whole[len(self._shown) :]
    self._start = max(self._start, len(self._ids) - 8)
    self._shown = self._decode()
    return piece

  def _decode(self) -> str:
    return self._tokenizer.decode(
      self._ids[self._start :], skip_special_tokens=self._skip
    )


def overhang(text: str, stops: Sequence[str]) -> str | None:
  """Returns what follows the first stop string in a text, or None.

  >>> overhang("one. two. three", [". t", "."])
  ' two. three'
  """
  ends = [text.index(x) + len(x) for x in stops if x and x in text]
  return text[min(ends) :] if ends else None
