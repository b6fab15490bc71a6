"""Encodes text as ids with words, sentences and bytes, without jax.

The processes that prepare a corpus import this file and not tokenizer.py:
a process with jax takes half a second and 170 MB more.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from lm_jax.data import tokenizer_json, vocabulary, word_facts
from lm_jax.data.text import sentence_starts


@dataclasses.dataclass(frozen=True)
class Encoded:
  """The tokens of a text, or of several: int32 arrays [T] of one length.

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

  def __getitem__(self, span: slice | np.ndarray) -> Encoded:
    return Encoded(
      self.ids[span], self.word[span], self.sentence[span], self.bytes[span]
    )


class Encoder:
  """A tokenizer.json that reads every text as plain text.

  Args:
    content: the text of the tokenizer.json.
    shunned: ids that no text gets, not even one that spells their names.
    path: names the file in messages.
    rules: for words and sentences.

  Raises:
    UsageError: it is no tokenizer.json, or exceeds the limits; every method
      raises it too, where the library fails on a text.
  """

  def __init__(
    self,
    content: str,
    shunned: Collection[int],
    path: pathlib.Path = pathlib.Path("tokenizer.json"),
    rules: word_facts.Rules = word_facts.NEWEST,
  ):
    self.content = content
    self.path = path
    self.rules = rules
    self.tokenizer = self._build(content)
    self.shunned = frozenset(shunned)
    self._bytes_V = _byte_table(json.loads(content), self.tokenizer.get_vocab())

  def _build(self, content: str) -> Any:
    built = tokenizer_json.build(content, json.loads(content), self.path)
    built.encode_special_tokens = True  # "[MASK]" in a text is text.
    return built

  @functools.cached_property
  def _careful(self) -> Any:
    content = vocabulary.shun(self.content, self.shunned)
    return self._build(content)

  def encode(self, text: str) -> list[int]:
    """Returns the ids of a text, without special tokens around it."""
    with tokenizer_json.using(self.path):
      encoding = self.tokenizer.encode(text, add_special_tokens=False)
      return self._as_text(text, encoding)[1]

  def encode_batch(self, texts: Sequence[str]) -> list[Encoded]:
    """Encodes several texts, on all cores."""
    flat, counts_N = self.encode_flat(texts)
    stops = np.cumsum(counts_N).tolist()
    return [
      dataclasses.replace(part, sentence=part.sentence - part.sentence[:1])
      for part in (
        flat[start:stop] for start, stop in itertools.pairwise([0, *stops])
      )
    ]

  def encode_spans(
    self, texts: Sequence[str]
  ) -> list[tuple[np.ndarray, np.ndarray]]:
    """Encodes several texts and locates each token in its text.

    Returns:
      For each text the ids, int32 [T], and the spans of characters, int64
      [T, 2], without white space around them; the end is exclusive. Tokens
      that share a character (its bytes) have the same span.
    """
    encoded = []
    for text, encoding, ids in self._encodings(texts):
      spans = [_stripped(text, *span) for span in encoding.offsets]
      spans_Tx2 = np.array(spans, np.int64).reshape(-1, 2)
      encoded.append((np.array(ids, np.int32), spans_Tx2))
    return encoded

  def encode_flat(self, texts: Sequence[str]) -> tuple[Encoded, np.ndarray]:
    """Encodes several texts into one array, on all cores.

    Returns:
      The tokens, with sentences (see `sentence_starts`) numbered on from text
      to text; and the number of tokens of each text, int64 [N].
    """
    ids_N, word_N, bytes_N, starts_N = [], [], [], []
    at = 0  # bytes of the texts so far
    for text, encoding, text_ids in self._encodings(texts):
      byte_at, size = _byte_positions(text)
      ids_N.append(np.array(text_ids, np.int32))
      word_N.append(word_facts.number(text, encoding, self.rules.by_script))
      if self._bytes_V is None:
        last = np.array([end for _, end in encoding.offsets], np.int64)
        bytes_N.append(_shares(byte_at(last), size))
      starts = sentence_starts(text, self.rules.sentences)
      starts_N.append(byte_at(np.array(starts, np.int64)) + at)
      at += size
    counts_N = np.array([ids.size for ids in ids_N], np.int64)
    ids = _join(ids_N)
    sizes = _join(bytes_N) if self._bytes_V is None else self._bytes_V[ids]
    # Where each token starts: what stands before it in its text, and the
    # texts before that. A text without tokens has its bytes all the same.
    sentence = np.searchsorted(
      _join(starts_N), self._positions(sizes, counts_N, starts_N), side="right"
    )
    return (
      Encoded(ids, _join(word_N), (sentence - 1).astype(np.int32), sizes),
      counts_N,
    )

  @staticmethod
  def _positions(
    sizes: np.ndarray, counts_N: np.ndarray, starts_N: list[np.ndarray]
  ) -> np.ndarray:
    """Start of each token, in bytes of all texts joined: int64 [T]."""
    ends = np.cumsum(sizes, dtype=np.int64)
    first_N = np.cumsum(counts_N) - counts_N
    before_N = np.concatenate([[0], ends])[first_N]
    text_N = np.array([starts[0] for starts in starts_N], np.int64)
    return ends - sizes + np.repeat(text_N - before_N, counts_N)

  def _encodings(
    self, texts: Sequence[str]
  ) -> Iterator[tuple[str, Any, list[int]]]:
    """Yields texts, their encodings and ids; encodes on all cores."""
    with tokenizer_json.using(self.path):
      # encode_batch_fast would be faster, but forgets the words.
      encodings = self.tokenizer.encode_batch(
        list(texts), add_special_tokens=False
      )
    for text, encoding in zip(texts, encodings, strict=True):
      with tokenizer_json.using(self.path):
        encoding, ids = self._as_text(text, encoding)
      yield text, encoding, ids

  def _as_text(self, text: str, encoding: Any) -> tuple[Any, list[int]]:
    """Returns the encoding and its ids, without names of special tokens."""
    ids = encoding.ids
    if self.shunned.isdisjoint(ids):
      return encoding, ids
    encoding = self._careful.encode(text, add_special_tokens=False)
    return encoding, encoding.ids


def _byte_table(content: Any, vocab: dict[str, int]) -> np.ndarray | None:
  """Bytes per token, if each character of a token is one, or stands for one.

  An added token that takes the white space around it has more bytes than its
  name, how many depends on the text.
  """
  unit = _unit(content, vocab)
  if not unit or any(
    not added.get("special") and (added.get("lstrip") or added.get("rstrip"))
    for added in content.get("added_tokens") or ()
  ):
    return None
  sizes = np.zeros(1 + max(vocab.values(), default=-1), np.int32)
  for token, i in vocab.items():
    sizes[i] = len(token if unit == "byte" else token.encode())
  if unit == "character":
    sizes[[vocab[name] for name in vocabulary.byte_names()]] = 1
  # These are text as it is.
  for added in content.get("added_tokens") or ():
    # The library gives an id of its own where the file's is taken, and leaves
    # out what is empty.
    if added["content"] in vocab:
      sizes[vocab[added["content"]]] = len(added["content"].encode())
  return sizes


def _unit(
  content: Any, vocab: dict[str, int]
) -> Literal["byte", "character", ""]:
  """Tells whether a character of a token is a byte, or itself; "": it depends.

  It is itself in our tokenizers of characters, whose unknown ones are bytes.
  """
  before = content.get("pre_tokenizer") or {}
  steps = before.get("pretokenizers") or [before]
  if content.get("normalizer") or steps[-1].get("add_prefix_space"):
    return ""
  kinds = [step.get("type") for step in steps]
  if kinds == ["ByteLevel"] and steps == [before]:
    return "byte"
  # Imported ones go by the ends of their tokens, as they did in earlier runs.
  words = (steps[0].get("pattern") or {}).get("Regex")
  if words not in (vocabulary.WORDS, vocabulary.GPT2_WORDS):
    return ""
  if steps[0].get("behavior") != "Isolated" or steps[0].get("invert"):
    return ""
  if kinds == ["Split", "ByteLevel"]:
    return "byte"
  falls_back = kinds == ["Split"] and content["model"].get("byte_fallback")
  known = falls_back and all(x in vocab for x in vocabulary.byte_names())
  return "character" if known else ""


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
  """Strips white space from a span; a blank span becomes empty, at its end."""
  piece = text[start:end]
  start += len(piece) - len(piece.lstrip())
  return start, start + len(piece.strip())


def _join(arrays: Iterable[np.ndarray]) -> np.ndarray:
  return np.concatenate([np.zeros(0, np.int32), *arrays])


def _shares(ends: np.ndarray, size: int) -> np.ndarray:
  """Computes bytes per token from the ends of the tokens in the text."""
  # Tokens that share a character: the first has its bytes.
  ends = np.maximum.accumulate(ends)
  ends[-1:] = size
  return np.diff(ends, prepend=0).astype(np.int32)


def _byte_positions(text: str) -> tuple[Callable[[Any], Any], int]:
  """A map from character to byte positions (UTF-8), and the number of bytes."""
  if text.isascii():
    return (lambda positions: positions), len(text)
  codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
  sizes = 1 + (codes >= 0x80) + (codes >= 0x800) + (codes >= 0x10000)
  table = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
  return (lambda positions: table[positions]), int(table[-1])
