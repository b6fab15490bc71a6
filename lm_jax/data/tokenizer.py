"""Text to ids and back, with the words, sentences and bytes of the tokens."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from lm_jax.data import cache, vocabulary
from lm_jax.data.corpus import Corpus
from lm_jax.data.options import DataOptions
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
  """A tokenizer.json whose first ids are the special tokens."""

  def __init__(self, path: pathlib.Path, specials: Specials):
    """Reads `path`, which `load_tokenizer` wrote, or another one like it.

    Raises:
      UsageError: the file's first ids are not those of `specials`.
    """
    import tokenizers

    self.path = path
    self.specials = specials
    content = path.read_text()
    self.fingerprint = hashlib.sha256(content.encode()).hexdigest()[:16]
    self._tokenizer = tokenizers.Tokenizer.from_str(content)
    signs = vocabulary.special_tokens(specials)
    if [self._tokenizer.id_to_token(i) for i in range(len(signs))] != signs:
      raise UsageError(
        f"{path}: its first ids are not {signs[0]} to {signs[-1]}; valid is a "
        f"tokenizer.json of --data.sentinels={specials.sentinels}"
      )
    # "[MASK]" in a text is text.
    self._tokenizer.encode_special_tokens = True
    self.vocabulary_size: int = self._tokenizer.get_vocab_size()
    self._bytes_V = self._byte_table(json.loads(content))

  def _byte_table(self, content: Any) -> np.ndarray | None:
    """Bytes per token, where each character of a token stands for a byte."""
    before = content["pre_tokenizer"] or {}
    plain = content["normalizer"] is None and not before.get("add_prefix_space")
    if before.get("type") != "ByteLevel" or not plain:
      return None
    sizes = np.zeros(self.vocabulary_size, np.int32)
    for token, i in self._tokenizer.get_vocab().items():
      sizes[i] = len(token)
    return sizes

  def encode(self, text: str) -> list[int]:
    """The ids of a text, without special tokens around it."""
    return self._tokenizer.encode(text, add_special_tokens=False).ids

  def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
    """The text of ids; exact for bpe, unigram and bytes."""
    numbers = [int(i) for i in ids]
    return self._tokenizer.decode(
      numbers, skip_special_tokens=skip_special_tokens
    )

  def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
    """The tokens of several texts, on all cores."""
    # encode_batch_fast would be faster, but forgets the words.
    encodings = self._tokenizer.encode_batch(
      list(texts), add_special_tokens=False
    )
    return [
      self._encoded(text, encoding)
      for text, encoding in zip(texts, encodings, strict=True)
    ]

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


def load_tokenizer(options: DataOptions, corpus: Corpus) -> Tokenizer:
  """The tokenizer that `--data.tokenizer` names, trained where need be.

  It is trained on the first 50 MB of the training split and kept in the cache
  under a key of corpus, kind, size and number of sentinels.

  Raises:
    UsageError: an unknown kind, a vocabulary that is too small, a file that
      is no tokenizer.json.
  """
  if options.sentinels < 0:
    raise UsageError(f"--data.sentinels={options.sentinels}: must be 0 or more")
  vocabulary.check_kind(options.tokenizer)
  specials = Specials(sentinels=options.sentinels)
  kind = options.tokenizer
  if kind in vocabulary.KINDS:
    facts = [kind, options.vocabulary_size, corpus.fingerprint]
  else:
    source = pathlib.Path(kind).expanduser()
    facts = ["adopted", cache.file_hash(options.cache, source)]

  def build(folder: pathlib.Path) -> None:
    if kind in vocabulary.KINDS:
      texts = (document.text for document in corpus.documents("train"))
      size = options.vocabulary_size
      content = vocabulary.train(kind, texts, size, specials)
    else:
      content = vocabulary.adopt(source, specials)
    (folder / "tokenizer.json").write_text(content)

  name = cache.key("tokenizer 1", *facts, options.sentinels)
  folder = cache.root(options.cache) / "tokenizers" / name
  cache.prepared(folder, build)
  return Tokenizer(folder / "tokenizer.json", specials)
