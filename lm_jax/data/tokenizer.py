"""Encodes text as ids and decodes it, with words, sentences and bytes."""

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
from lm_jax.data.word_facts import NEWEST, Rules
from lm_jax.support.errors import UsageError, short
from lm_jax.types import ABSENT, Specials


class Tokenizer:
  """A tokenizer.json and the ids of its special tokens.

  Attributes:
    path: of the file.
    named: the user's file that it was made from.
    specials: read from a specials.json beside it (it is "native" then and may
      come from anywhere), or else the first ids, as in lm_jax's own tokenizers.
    languages: ids of the language tokens by name, from a languages.json beside
      it; {} without one.
    vocabulary_size: ids are below this.
    fingerprint: equal where the same text gives the same rows.
  """

  def __init__(
    self,
    path: pathlib.Path,
    specials: Specials | None = None,
    named: pathlib.Path | None = None,
    rules: Rules = NEWEST,
  ):
    """Reads `path`, with the special tokens `specials` or its specials.json.

    rules: for words and sentences; they change no id.

    Raises:
      UsageError: no tokenizer.json, one whose first ids are not those of
        `specials`, or a file beside it does not fit it.
    """
    self.path = path
    self.named = named or path
    stated = sidecar_files.specials(path)
    chosen = stated or specials
    if chosen is None:
      raise UsageError(f"{path}: has no {specials_lib.FILE} beside it")
    self.specials: Specials = chosen
    self._content, self._parsed = tokenizer_json.read(path)
    # A text that spells "</s>" may be read as that all the same, by a unigram
    # model or where the file doesn't call it special.
    kept = {self.specials.unknown}
    if not self._is_added(self.specials.mask):
      kept.add(self.specials.mask)  # a sign of text that `import --mask` names
    shunned = frozenset(self.specials.ids) - kept
    self.encoder = encoding.Encoder(self._content, shunned, self.named, rules)
    self._tokenizer = self.encoder.tokenizer
    vocab = self._tokenizer.get_vocab()
    self.vocabulary_size: int = 1 + max(vocab.values(), default=-1)
    if stated is None:
      self._check_names()
    else:
      sidecar_files.check_ids(path, stated, self.vocabulary_size)
    self.languages = sidecar_files.languages(path, self.vocabulary_size)
    facts = self._content
    if self.specials != Specials(sentinels=self.specials.sentinels):
      facts += specials_lib.to_json(self.specials)
    self.fingerprint = hashlib.sha256(facts.encode()).hexdigest()[:16]

  def _is_added(self, token: int) -> bool:
    added = isinstance(self._parsed, dict) and self._parsed.get("added_tokens")
    tokens = added if isinstance(added, list) else []
    return token in [x.get("id") for x in tokens if isinstance(x, dict)]

  def __len__(self) -> int:
    """Returns the number of ids, special tokens included."""
    return self.vocabulary_size

  def __repr__(self) -> str:
    return f"Tokenizer({len(self):,} tokens, {str(self.path)!r})"

  @functools.cached_property
  def _parser(self) -> Any:
    built = tokenizer_json.build(self._content, self._parsed, self.named)
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
    """Contents by file name that make the same tokenizer elsewhere."""
    contents = {specials_lib.FILE: specials_lib.to_json(self.specials)}
    if self.languages:
      contents[sidecar_files.LANGUAGES] = json.dumps(self.languages) + "\n"
    # The last: without it the others are nothing.
    return contents | {"tokenizer.json": self._content}

  def id_of(self, token: str) -> int | None:
    """Returns the id of a token of the vocabulary; None if it has none."""
    return self._tokenizer.token_to_id(token)

  def encode(self, text: str, parse_special: bool = False) -> list[int]:
    """Returns the ids of a text, without special tokens around it.

    With `parse_special` the names of special tokens in it stand for them, as
    in Transformers; otherwise they are text like any other.
    """
    if not isinstance(text, str):
      raise UsageError(f"text={short(text)}: must be one text")
    if not parse_special:
      return self.encoder.encode(text)
    with tokenizer_json.using(self.named):
      return self._parser.encode(text, add_special_tokens=False).ids

  def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
    """Decodes ids; the text is exact for bpe, unigram and bytes."""
    numbers = [int(i) for i in ids]
    with tokenizer_json.using(self.named):
      return self._tokenizer.decode(
        numbers, skip_special_tokens=skip_special_tokens
      )

  def encode_batch(self, texts: str | Sequence[str]) -> list[Encoded]:
    """Encodes several texts, on all cores; one str is a batch of one."""
    texts = [texts] if isinstance(texts, str) else texts
    return self.encoder.encode_batch(texts)


def separator_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
  """Ids that separate two texts: the separator, or else a new line."""
  if tokenizer.specials.separator != ABSENT:
    return (tokenizer.specials.separator,)
  return tuple(tokenizer.encode("\n"))
