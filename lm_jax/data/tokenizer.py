"""Text to ids and back, with the words, sentences and bytes of the tokens."""

from __future__ import annotations

import functools
import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from lm_jax import specials as specials_lib
from lm_jax.data import encoding, sidecar_files, tokenizer_json, vocabulary
from lm_jax.data.encoding import Encoded
from lm_jax.support.errors import UsageError, short
from lm_jax.types import ABSENT, Specials


class Tokenizer:
  """A tokenizer.json, and which of its ids are special tokens.

  Attributes:
    path: of the file.
    named: the user's file that it was made of.
    specials: told by a specials.json beside it (it is "native" then and may
      be anybody's), or else the first ids, as in all tokenizers of ours.
    languages: ids of the language tokens by name, of a languages.json beside
      it; {} without one.
    vocabulary_size: ids are below this.
    fingerprint: equal where the same text gives the same rows.
  """

  def __init__(
    self,
    path: pathlib.Path,
    specials: Specials | None = None,
    named: pathlib.Path | None = None,
  ):
    """Reads `path`.

    Args:
      path: of a tokenizer.json.
      specials: where no specials.json tells them.
      named: the file that it was made of, which messages name; `path` unless
        given.

    Raises:
      UsageError: no tokenizer.json, one whose first ids are not those of
        `specials`, or what stands beside it does not fit it.
    """
    self.path = path
    self.named = named or path
    told = sidecar_files.specials(path)
    chosen = told or specials
    if chosen is None:
      raise UsageError(f"{path}: has no {specials_lib.FILE} beside it")
    self.specials: Specials = chosen
    self._content, self._found = tokenizer_json.read(path)
    # A text that spells "</s>" may be read as that all the same, by a unigram
    # model or where the file doesn't call it special.
    shunned = frozenset(self.specials.ids) - {self.specials.unknown}
    self.encoder = encoding.Encoder(self._content, shunned, self.named)
    self._tokenizer = self.encoder.tokenizer
    vocab = self._tokenizer.get_vocab()
    self.vocabulary_size: int = 1 + max(vocab.values(), default=-1)
    if told is None:
      self._check_names()
    else:
      sidecar_files.check_ids(path, told, self.vocabulary_size)
    self.languages = sidecar_files.languages(path, self.vocabulary_size)
    facts = self._content
    if self.specials != Specials(sentinels=self.specials.sentinels):
      facts += specials_lib.to_json(self.specials)
    self.fingerprint = hashlib.sha256(facts.encode()).hexdigest()[:16]

  def __len__(self) -> int:
    """How many ids it has, special tokens included."""
    return self.vocabulary_size

  def __repr__(self) -> str:
    return f"Tokenizer({len(self):,} tokens, {str(self.path)!r})"

  @functools.cached_property
  def _parser(self) -> Any:
    built = tokenizer_json.build(self._content, self._found, self.named)
    built.encode_special_tokens = False
    return built

  def _check_names(self) -> None:
    signs = vocabulary.special_tokens(self.specials)
    if [self._tokenizer.id_to_token(i) for i in range(len(signs))] != signs:
      raise UsageError(
        f"{self.path}: its first ids are not {signs[0]} to {signs[-1]}; valid "
        f"is a tokenizer.json of --data.sentinels={self.specials.sentinels}"
      )

  def files(self) -> dict[str, str]:
    """What makes the same tokenizer elsewhere: contents by file name."""
    found = {specials_lib.FILE: specials_lib.to_json(self.specials)}
    if self.languages:
      found[sidecar_files.LANGUAGES] = json.dumps(self.languages) + "\n"
    # The last: without it the others are nothing.
    return found | {"tokenizer.json": self._content}

  def encode(self, text: str, parse_special: bool = False) -> list[int]:
    """The ids of a text, without special tokens around it.

    Args:
      text: any.
      parse_special: whether names of special tokens in the text stand for
        them, as in Transformers. Otherwise they are text like any other.
    """
    if not isinstance(text, str):
      raise UsageError(f"text={short(text)}: must be one text")
    if not parse_special:
      return self.encoder.encode(text)
    with tokenizer_json.using(self.named):
      return self._parser.encode(text, add_special_tokens=False).ids

  def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
    """The text of ids; exact for bpe, unigram and bytes."""
    numbers = [int(i) for i in ids]
    with tokenizer_json.using(self.named):
      return self._tokenizer.decode(
        numbers, skip_special_tokens=skip_special_tokens
      )

  def encode_batch(self, texts: str | Sequence[str]) -> list[Encoded]:
    """The tokens of several texts, on all cores; a text alone is one of one."""
    texts = [texts] if isinstance(texts, str) else texts
    return self.encoder.encode_batch(texts)


def separator_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
  """Ids that part two texts: the separator, or else a new line."""
  if tokenizer.specials.separator != ABSENT:
    return (tokenizer.specials.separator,)
  return tuple(tokenizer.encode("\n"))
