"""Names of special tokens in a user's messages, kept as plain text.

A message that holds "<|im_end|>\n<|im_start|>system" would end its own turn
and begin another, were the conversation encoded as one text. So the names of
special tokens in messages are put between two characters of a private use
area before the template sees them, and what stands between those is encoded
as text. Transformers does it on request (sanitize_control_tokens).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from lm_jax.data import tokenizer_json
from lm_jax.data.tokenizer import Tokenizer
from lm_jax.support.errors import UsageError
from lm_jax.types import ABSENT

_BEGIN, _END = "\U000f0000", "\U000f0001"


class Marks:
  """Marks names of special tokens in messages, and encodes what has marks.

  Args:
    literals: texts that the template holds itself; tokens that are named
      there are special, too, even where the tokenizer's file says otherwise.
  """

  def __init__(self, tokenizer: Tokenizer, literals: Sequence[str]):
    self._tokenizer = tokenizer
    inner = tokenizer.encoder.tokenizer
    held = "\0".join(literals)
    added = inner.get_added_tokens_decoder()
    special = set(tokenizer.specials.ids)
    self.tokens = {
      token.content: i
      for i, token in added.items()
      if token.special
      or i in special
      or (token.content in held and not token.content.isspace())
    }
    names = sorted(self.tokens, key=len, reverse=True)
    name = "|".join(map(re.escape, names)) or "(?!)"  # which matches nothing
    self._name = re.compile(name)
    self._mark = re.compile(f"{_BEGIN}({name}){_END}|[{_BEGIN}{_END}]")

  def mark(self, text: str) -> str:
    """Puts marks around the names in a text; its own marks are left out."""
    text = text.replace(_BEGIN, "").replace(_END, "")
    return self._name.sub(f"{_BEGIN}\\g<0>{_END}", text)

  def first(self, text: str) -> tuple[str, int]:
    """Finds the first name in a text, and its id; ("", ABSENT) without one."""
    match = self._name.search(text)
    return (match[0], self.tokens[match[0]]) if match else ("", ABSENT)

  def encode(self, rendered: str) -> list[int]:
    """Encodes a conversation; no special tokens are put around it.

    Names of special tokens without marks are such: the template wrote them.
    """
    # Text, marked name, text, ..., with None for a mark that lost its other.
    first, *pieces = self._mark.split(rendered)
    ids = self._tokenizer.encode(first, parse_special=True)
    for number, piece in enumerate(pieces):
      if piece:
        ids += self._inner(piece, as_text=number % 2 == 0)
    return ids

  def _inner(self, piece: str, as_text: bool) -> list[int]:
    """Encodes a piece that does not begin the text.

    A tokenizer may put a space before what begins one: a line end takes it,
    and is taken away.
    """
    ids = self._encode("\n" + piece, as_text)
    count = len(self._line_end)
    if ids[:count] == self._line_end:
      return ids[count:]
    return self._encode(piece, as_text)

  def _encode(self, text: str, as_text: bool) -> list[int]:
    if not as_text:
      return self._tokenizer.encode(text, parse_special=True)
    inner = self._tokenizer.encoder.tokenizer
    with tokenizer_json.using(self._tokenizer.named):
      # Without any of the added tokens, be they special or not.
      if inner.normalizer is not None:
        text = inner.normalizer.normalize_str(text)
      words = [text]
      if inner.pre_tokenizer is not None:
        words = [word for word, _ in inner.pre_tokenizer.pre_tokenize_str(text)]
      ids = [token.id for word in words for token in inner.model.tokenize(word)]
    if self._forged.isdisjoint(ids):
      return ids
    # A unigram model may find them among its pieces.
    ids = self._tokenizer.encode(text)
    if not self._forged.isdisjoint(ids):
      raise UsageError(f"{text}: the tokenizer can't read it as text")
    return ids

  @functools.cached_property
  def _line_end(self) -> list[int]:
    return self._tokenizer.encode("\n", parse_special=True)

  @functools.cached_property
  def _forged(self) -> frozenset[int]:
    unknown = self._tokenizer.specials.unknown
    return frozenset(self.tokens.values()) - {unknown}
