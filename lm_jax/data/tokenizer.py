"""Text to ids and back, with the words, sentences and bytes of the tokens."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lm_jax import specials as specials_lib
from lm_jax.data import beside, tokenizer_json, vocabulary
from lm_jax.data.text import sentence_starts
from lm_jax.types import Specials, UsageError


@dataclasses.dataclass(frozen=True)
class Encoded:
  """The tokens of a text: int32 arrays [T] of one length.

  ids: never those of special tokens, except `Specials.unknown`.
  word, sentence: index of the token's word and sentence in the text.
  bytes: UTF-8 bytes of the text that fall to the token; their sum is the
    text's (where it has tokens at all). White space that a tokenizer drops
    falls to the token after it, or to the last one.
  """

  ids: np.ndarray
  word: np.ndarray
  sentence: np.ndarray
  bytes: np.ndarray


class Tokenizer:
  """A tokenizer.json, and which of its ids are special tokens.

  Attributes:
    path: of the file.
    specials: told by a specials.json beside it (it is "native" then and may
      be anybody's), or else the first ids, as in all tokenizers of ours.
    languages: ids of the language tokens by name, of a languages.json beside
      it; {} without one.
    vocabulary_size: ids are below this.
    fingerprint: equal where the same text gives the same rows.
  """

  def __init__(self, path: pathlib.Path, specials: Specials | None = None):
    """Reads `path`.

    Args:
      path: of a tokenizer.json.
      specials: where no specials.json tells them.

    Raises:
      UsageError: no tokenizer.json, one whose first ids are not those of
        `specials`, or what stands beside it does not fit it.
    """
    self.path = path
    told = beside.specials(path)
    chosen = told or specials
    if chosen is None:
      raise UsageError(f"{path}: has no {specials_lib.FILE} beside it")
    self.specials: Specials = chosen
    self._content, found = tokenizer_json.read(path)
    # "[MASK]" in a text is text.
    self._tokenizer = self._build(self._content, found, False)
    vocab = self._tokenizer.get_vocab()
    self.vocabulary_size: int = 1 + max(vocab.values(), default=-1)
    if told is None:
      self._check_names()
    else:
      beside.check_ids(path, told, self.vocabulary_size)
    self.languages = beside.languages(path, self.vocabulary_size)
    facts = self._content
    if self.specials != Specials(sentinels=self.specials.sentinels):
      facts += specials_lib.to_json(self.specials)
    self.fingerprint = hashlib.sha256(facts.encode()).hexdigest()[:16]
    self._bytes_V = self._byte_table(found, vocab)
    # A text that spells "</s>" may be read as that all the same, by a unigram
    # model or where the file doesn't call it special.
    self._shunned = frozenset(self.specials.ids) - {self.specials.unknown}

  def _build(self, content: str, found: Any, parse_special: bool) -> Any:
    built = tokenizer_json.build(content, found, self.path)
    built.encode_special_tokens = not parse_special
    return built

  @functools.cached_property
  def _parser(self) -> Any:
    return self._build(self._content, json.loads(self._content), True)

  @functools.cached_property
  def _careful(self) -> Any:
    content = vocabulary.shun(self._content, self._shunned)
    return self._build(content, json.loads(content), False)

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
      found[beside.LANGUAGES] = json.dumps(self.languages) + "\n"
    # The last: without it the others are nothing.
    return found | {"tokenizer.json": self._content}

  def _byte_table(
    self, content: Any, vocab: dict[str, int]
  ) -> np.ndarray | None:
    """Bytes per token, where each character of a token stands for a byte."""
    before = content.get("pre_tokenizer") or {}
    plain = not content.get("normalizer") and not before.get("add_prefix_space")
    if before.get("type") != "ByteLevel" or not plain:
      return None
    sizes = np.zeros(self.vocabulary_size, np.int32)
    for token, i in vocab.items():
      sizes[i] = len(token)
    # These are text as it is.
    for added in content.get("added_tokens") or ():
      # The library gives an id of its own where the file's is taken, and
      # leaves out what is empty.
      if added["content"] in vocab:
        sizes[vocab[added["content"]]] = len(added["content"].encode())
    return sizes

  def encode(self, text: str, parse_special: bool = False) -> list[int]:
    """The ids of a text, without special tokens around it.

    Args:
      text: any.
      parse_special: whether names of special tokens in the text stand for
        them, as in Transformers. Otherwise they are text like any other.
    """
    with tokenizer_json.using(self.path):
      if parse_special:
        return self._parser.encode(text, add_special_tokens=False).ids
      encoding = self._tokenizer.encode(text, add_special_tokens=False)
      return self._as_text(text, encoding).ids

  def _as_text(self, text: str, encoding: Any) -> Any:
    """The encoding, or one in which no name of a special token is a piece."""
    if self._shunned.isdisjoint(encoding.ids):
      return encoding
    return self._careful.encode(text, add_special_tokens=False)

  def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
    """The text of ids; exact for bpe, unigram and bytes."""
    numbers = [int(i) for i in ids]
    with tokenizer_json.using(self.path):
      return self._tokenizer.decode(
        numbers, skip_special_tokens=skip_special_tokens
      )

  def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
    """The tokens of several texts, on all cores."""
    # encode_batch_fast would be faster, but forgets the words.
    with tokenizer_json.using(self.path):
      encodings = self._tokenizer.encode_batch(
        list(texts), add_special_tokens=False
      )
      encodings = [
        self._as_text(text, encoding)
        for text, encoding in zip(texts, encodings, strict=True)
      ]
    return list(map(self._encoded, texts, encodings))

  def _encoded(self, text: str, encoding: Any) -> Encoded:
    ids = np.array(encoding.ids, np.int32)
    word = np.array(encoding.word_ids, np.int32)
    byte_at = _byte_positions(text)
    if self._bytes_V is not None:
      ends = np.cumsum(self._bytes_V[ids], dtype=np.int64)
    else:
      last = np.array([end for _, end in encoding.offsets], np.int64)
      ends = byte_at(last)
      # Tokens that share a character: the first has its bytes.
      ends = np.maximum.accumulate(ends)
      ends[-1:] = byte_at(np.array([len(text)]))
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])[: ids.size]
    sentence_at = byte_at(np.array(sentence_starts(text), np.int64))
    sentence = np.searchsorted(sentence_at, starts, side="right") - 1
    return Encoded(
      ids=ids,
      word=word,
      sentence=sentence.astype(np.int32),
      bytes=(ends - starts).astype(np.int32),
    )


def _byte_positions(text: str) -> Any:
  """A function from positions in characters to positions in UTF-8 bytes."""
  if text.isascii():
    return lambda positions: positions
  codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
  sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
  table = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
  return lambda positions: table[positions]
