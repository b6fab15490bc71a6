"""Trains each kind of tokenizer on texts.

Words are the same for all but WordPiece: GPT-2's rule finds them, and the
white space before a word belongs to it. Where a text has combining marks, these
stay with their letters (`vocabulary.WORDS`); where it has none, both rules find
the same words, and the tokenizer is GPT-2's to the last byte of its file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from absl import logging

from lm_jax.data import alphabet, train_bpe, train_unigram, train_wordpiece
from lm_jax.data.vocabulary import (
  GPT2_WORDS,
  TRAINING_BYTES,
  WORDS,
  byte_names,
  byte_signs,
  some,
  special_tokens,
)
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:  # It imports jax.
  from lm_jax.types import Specials

# An estimated share of unknown characters above which they fall back to bytes.
FEW_UNKNOWN = 0.001


def _too_small(size: int, needed: int, kind: str) -> UsageError:
  return UsageError(
    f"--data.vocabulary_size={size}: too small for --data.tokenizer={kind}, "
    f"whose special tokens and alphabet take {needed} on this corpus"
  )


def _words(texts: Iterable[str]) -> str:
  return WORDS if alphabet.has_marks(texts) else GPT2_WORDS


def _split(words: str) -> Any:
  import tokenizers
  from tokenizers import pre_tokenizers

  return pre_tokenizers.Split(tokenizers.Regex(words), "isolated")


def _byte_level(model: Any, words: str = GPT2_WORDS) -> Any:
  import tokenizers
  from tokenizers import decoders, pre_tokenizers

  own = words == GPT2_WORDS
  to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=own)
  steps = [to_bytes] if own else [_split(words), to_bytes]
  tokenizer = tokenizers.Tokenizer(model)
  tokenizer.pre_tokenizer = to_bytes if own else pre_tokenizers.Sequence(steps)
  tokenizer.decoder = decoders.ByteLevel()
  return tokenizer


def _of_characters(model: Any, words: str, with_bytes: bool = True) -> Any:
  """A tokenizer of characters; unknown ones are bytes, if there are any."""
  import tokenizers
  from tokenizers import decoders

  tokenizer = tokenizers.Tokenizer(model)
  tokenizer.pre_tokenizer = _split(words)
  tokenizer.decoder = decoders.Fuse()
  if with_bytes:
    steps = [decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps)
  return tokenizer


def _learnt_on_bytes(
  tokenizer: Any, trainer: Any, texts: Iterable[str], size: int, specials: Any
) -> Any:
  """Trains on bytes, so that no text is unknown and decoding gives it back."""
  made = trainer(
    vocab_size=size,
    special_tokens=specials,
    initial_alphabet=byte_signs(),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, made)
  return tokenizer


def _bpe_1(
  texts: Iterable[str], size: int, specials: list[str], words: str = GPT2_WORDS
) -> Any:
  from tokenizers import models, trainers

  tokenizer = _byte_level(models.BPE(), words)
  return _learnt_on_bytes(tokenizer, trainers.BpeTrainer, texts, size, specials)


def _bpe(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models

  texts = list(texts)
  words, signs = _words(texts), byte_signs()
  if words == GPT2_WORDS:
    return _bpe_1(texts, size, specials)
  room = size - len(specials) - len(signs)
  merges = train_bpe.merges(texts, room, _split(words), signs)
  if merges is None:
    return _bpe_1(texts, size, specials, words)
  ids = train_bpe.ids_of(specials, signs, merges)
  return _byte_level(models.BPE(vocab=ids, merges=merges), words)


def _unigram_1(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models, trainers

  trainer = functools.partial(trainers.UnigramTrainer, unk_token="[UNK]")
  tokenizer = _byte_level(models.Unigram())
  return _learnt_on_bytes(tokenizer, trainer, texts, size, specials)


def _unigram(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models

  texts = list(texts)
  words = _words(texts)
  room = size - len(specials) - 256
  learnt = train_unigram.pieces(texts, room, _split(words))
  pieces = train_unigram.scored(specials, learnt)
  unknown = specials.index("[UNK]")
  return _of_characters(models.Unigram(pieces, unknown, True), words)


def _wordpiece_1(
  texts: Iterable[str], size: int, specials: list[str], **options: Any
) -> Any:
  """Trains by the library; options are those of its trainer."""
  from tokenizers import trainers

  tokenizer = _untrained_wordpiece()
  options = {"limit_alphabet": train_wordpiece.USUAL} | options
  trainer = trainers.WordPieceTrainer(
    vocab_size=size,
    special_tokens=specials,
    show_progress=False,
    **options,
  )
  tokenizer.train_from_iterator(texts, trainer)
  return tokenizer


def _untrained_wordpiece() -> Any:
  import tokenizers
  from tokenizers import decoders, models, normalizers, pre_tokenizers

  tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
  tokenizer.normalizer = normalizers.BertNormalizer(
    strip_accents=False, lowercase=False
  )
  tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  tokenizer.decoder = decoders.WordPiece()
  return tokenizer


def _wordpiece(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  import tokenizers
  from tokenizers import decoders, models

  texts = list(texts)
  known, unknown = train_wordpiece.choose(
    texts, size, len(specials), _untrained_wordpiece()
  )
  if unknown > train_wordpiece.MOST_UNKNOWN:
    logging.warning(
      "--data.tokenizer=wordpiece: of other text of this corpus about %.1f %% "
      "of the tokens will be unknown, as it is small for its characters; with "
      "bpe none would",
      100 * unknown,
    )
  options = {}
  if known is not None:
    options = {"initial_alphabet": known, "limit_alphabet": len(known)}
  # The library numbers characters within words in an order that changes from
  # one call to the next, and breaks ties by it; so they are numbered before.
  first = _wordpiece_1(texts, len(specials), specials, **options)
  inner = sorted(t for t in first.get_vocab() if t.startswith("##"))
  inner = [token for token in inner if len(token) == 3]
  learnt = _wordpiece_1(texts, size, [*specials, *inner], **options)
  ids = learnt.get_vocab()
  ids = {x: i for i, x in enumerate(sorted(ids, key=ids.__getitem__))}
  tokenizer = _untrained_wordpiece()
  tokenizer.model = models.WordPiece(vocab=ids, unk_token="[UNK]")
  if any(map(alphabet.is_east_asian, set().union(*texts))):
    unspaced = tokenizers.Regex(train_wordpiece.UNSPACED)
    steps = [decoders.WordPiece(), decoders.Fuse()]
    steps.append(decoders.Replace(unspaced, ""))
    tokenizer.decoder = decoders.Sequence(steps)
  return tokenizer


def _bytes(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  return _bytes_1(texts, size, specials, _words(texts))


def _bytes_1(
  texts: Iterable[str], size: int, specials: list[str], words: str = GPT2_WORDS
) -> Any:
  from tokenizers import models

  del texts, size  # There is nothing to learn.
  signs = [*specials, *byte_signs()]
  vocabulary = {sign: i for i, sign in enumerate(signs)}
  return _byte_level(models.BPE(vocab=vocabulary, merges=[]), words)


def _characters_1(
  texts: Iterable[str], size: int, specials: list[str], words: str = GPT2_WORDS
) -> Any:
  del size  # All characters of the training text are in.
  return _each_alone([*specials, *sorted(set().union(*texts))], words, False)


def _each_alone(tokens: Sequence[str], words: str, with_bytes: bool) -> Any:
  """A tokenizer that takes each character by itself: BPE without merges."""
  from tokenizers import models

  vocabulary = {token: i for i, token in enumerate(tokens)}
  model = models.BPE(
    vocab=vocabulary, merges=[], unk_token="[UNK]", byte_fallback=with_bytes
  )
  return _of_characters(model, words, with_bytes)


def _characters(texts: Iterable[str], size: int, specials: list[str]) -> Any:
  """Makes rare characters bytes, where there are more than a few."""
  texts = list(texts)
  words = _words(texts)
  counts = alphabet.characters(texts)
  rare = alphabet.rare(texts)
  few = sum(counts[sign] for sign in rare) <= FEW_UNKNOWN * counts.total()
  if few and len(specials) + len(counts) <= size:
    return _characters_1(texts, size, specials, words)
  room = max(0, size - len(specials) - 256)
  known = [sign for sign in alphabet.ranked(counts) if counts[sign] > 1][:room]
  return _each_alone([*specials, *byte_names(), *sorted(known)], words, True)


# What runs did before there were versions, and what new ones do.
FIRST_VERSION, VERSION = "1", "2"
_Trainer = Callable[[Iterator[str], int, list[str]], Any]
_TRAINERS: dict[str, dict[str, _Trainer]] = {
  FIRST_VERSION: {
    "bpe": _bpe_1,
    "wordpiece": _wordpiece_1,
    "unigram": _unigram_1,
    "bytes": _bytes_1,
    "characters": _characters_1,
  },
  VERSION: {
    "bpe": _bpe,
    "wordpiece": _wordpiece,
    "unigram": _unigram,
    "bytes": _bytes,
    "characters": _characters,
  },
}


def train(
  kind: str,
  texts: Iterable[str],
  size: int,
  specials: Specials,
  version: str = VERSION,
) -> str:
  """Trains a tokenizer of one of KINDS; returns its tokenizer.json.

  Args:
    kind, size, version: --data.tokenizer, .vocabulary_size and
      .tokenizer_version.
    texts: the first TRAINING_BYTES of them are read.
    specials: the special tokens, the first ids.

  Raises:
    UsageError: `size` is below special tokens and alphabet, or so small that
      WordPiece would not know much of the text.
  """
  signs = special_tokens(specials)
  if kind != "wordpiece" and size < len(signs) + 256 * (kind != "characters"):
    raise _too_small(size, len(signs) + 256, kind)
  trainer = _TRAINERS[version][kind]
  tokenizer = trainer(some(texts, TRAINING_BYTES), size, signs)
  if tokenizer.get_vocab_size() > size:
    raise _too_small(size, tokenizer.get_vocab_size(), kind)
  tokenizer.add_special_tokens(signs)
  return tokenizer.to_str()
