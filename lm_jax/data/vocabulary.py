"""Trains each kind of tokenizer, or adopts an existing one.

Every kind has the special tokens of `lm_jax.types.Specials` first, then text.
Words are the same for all but WordPiece: GPT-2's rule finds them, and the
white space before a word belongs to it.
"""

from __future__ import annotations

import difflib
import functools
import itertools
import json
import pathlib
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lm_jax.data import tokenizer_json
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:  # It imports jax.
  from lm_jax.types import Specials

KINDS = ("bpe", "wordpiece", "unigram", "bytes", "characters")
TRAINING_BYTES = 50 * 10**6
# Rarer characters than BERT's thousand make a word unknown to WordPiece.
WORDPIECE_ALPHABET = 1000
GPT2_WORDS = (
  r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
  r"|\s+(?!\S)|\s+"
)


def special_tokens(specials: Specials) -> list[str]:
  """Returns the special tokens in the order of their ids."""
  named = ["[PAD]", "[UNK]", "[BOS]", "[EOS]", "[SEP]", "[MASK]"]
  modes = ["[R]", "[S]", "[X]"]
  sentinels = [f"[SENTINEL_{i}]" for i in range(specials.sentinels)]
  return [*named, *modes, *sentinels]


def byte_signs() -> list[str]:
  """Returns the 256 characters that stand for bytes, in byte order.

  As in GPT-2: a printable byte is its own Latin-1 character, the others are
  the characters from U+0100 on.
  """
  printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
  other = itertools.count(256)
  return [chr(b if b in printable else next(other)) for b in range(256)]


def some(documents: Iterable[str], limit: int) -> Iterator[str]:
  """Yields the first documents, up to `limit` bytes."""
  seen = 0
  for text in documents:
    yield text
    seen += len(text.encode())
    if seen >= limit:
      return


def _too_small(size: int, needed: int, kind: str) -> UsageError:
  return UsageError(
    f"--data.vocabulary_size={size}: too small for --data.tokenizer={kind}, "
    f"whose special tokens and alphabet take {needed} on this corpus"
  )


def _bpe(texts: Iterator[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models, trainers

  return _on_bytes(texts, size, specials, models.BPE(), trainers.BpeTrainer)


def _unigram(texts: Iterator[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models, trainers

  # On bytes too, so that no text is unknown and decoding gives it back.
  trainer = functools.partial(trainers.UnigramTrainer, unk_token="[UNK]")
  return _on_bytes(texts, size, specials, models.Unigram(), trainer)


def _on_bytes(
  texts: Iterator[str], size: int, specials: list[str], model: Any, trainer: Any
) -> Any:
  tokenizer = _byte_level(model)
  made = trainer(
    vocab_size=size,
    special_tokens=specials,
    initial_alphabet=byte_signs(),
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, made)
  return tokenizer


def _wordpiece(texts: Iterator[str], size: int, specials: list[str]) -> Any:
  import tokenizers
  from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

  tokenizer = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
  tokenizer.normalizer = normalizers.BertNormalizer(
    strip_accents=False, lowercase=False
  )
  tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
  tokenizer.decoder = decoders.WordPiece()
  trainer = trainers.WordPieceTrainer(
    vocab_size=size,
    special_tokens=specials,
    limit_alphabet=WORDPIECE_ALPHABET,
    show_progress=False,
  )
  tokenizer.train_from_iterator(texts, trainer)
  return tokenizer


def _bytes(texts: Iterator[str], size: int, specials: list[str]) -> Any:
  from tokenizers import models

  del texts, size  # There is nothing to learn.
  signs = [*specials, *byte_signs()]
  vocabulary = {sign: i for i, sign in enumerate(signs)}
  return _byte_level(models.BPE(vocab=vocabulary, merges=[]))


def _characters(texts: Iterator[str], size: int, specials: list[str]) -> Any:
  import tokenizers
  from tokenizers import decoders, models, pre_tokenizers

  del size  # All characters of the training text are in.
  signs = [*specials, *sorted(set().union(*texts))]
  vocabulary = {sign: i for i, sign in enumerate(signs)}
  # BPE without merges: every character stands alone.
  model = models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]")
  tokenizer = tokenizers.Tokenizer(model)
  tokenizer.pre_tokenizer = pre_tokenizers.Split(
    tokenizers.Regex(GPT2_WORDS), "isolated"
  )
  tokenizer.decoder = decoders.Fuse()
  return tokenizer


def _byte_level(model: Any) -> Any:
  import tokenizers
  from tokenizers import decoders, pre_tokenizers

  tokenizer = tokenizers.Tokenizer(model)
  tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
  tokenizer.decoder = decoders.ByteLevel()
  return tokenizer


_TRAINERS: dict[str, Callable[[Iterator[str], int, list[str]], Any]] = {
  "bpe": _bpe,
  "wordpiece": _wordpiece,
  "unigram": _unigram,
  "bytes": _bytes,
  "characters": _characters,
}


def train(
  kind: str, texts: Iterable[str], size: int, specials: Specials
) -> str:
  """Trains a tokenizer of one of KINDS; returns its tokenizer.json.

  A `size` below special tokens and alphabet raises UsageError.
  """
  signs = special_tokens(specials)
  if kind != "wordpiece" and size < len(signs) + 256 * (kind != "characters"):
    raise _too_small(size, len(signs) + 256, kind)
  tokenizer = _TRAINERS[kind](some(texts, TRAINING_BYTES), size, signs)
  if tokenizer.get_vocab_size() > size:
    raise _too_small(size, tokenizer.get_vocab_size(), kind)
  tokenizer.add_special_tokens(signs)
  return tokenizer.to_str()


def adopt(path: pathlib.Path, specials: Specials) -> str:
  """Puts lm_jax's special tokens first in a user's tokenizer.json.

  Its own tokens follow in the order of their ids, except those with the names
  of special tokens. Tokens that it would add around a text are dropped: lm_jax
  makes the rows.
  """
  import tokenizers

  signs = special_tokens(specials)
  _, parsed = tokenizer_json.read(path)
  tokenizer_json.check(parsed, path)
  try:
    model = parsed["model"]
    if isinstance(model["vocab"], dict):
      ranked = sorted(model["vocab"], key=model["vocab"].__getitem__)
      kept = [*signs, *(token for token in ranked if token not in signs)]
      model["vocab"] = {token: i for i, token in enumerate(kept)}
    else:  # Unigram: pairs of a token and its log-probability.
      unknown = model["vocab"][model["unk_id"] or 0][0]
      rest = [pair for pair in model["vocab"] if pair[0] not in signs]
      # So improbable that "[MASK]" in a text is better read letter by letter.
      never = min(score for _, score in rest) - 1000.0
      model["vocab"] = [*([sign, never] for sign in signs), *rest]
      names = [pair[0] for pair in model["vocab"]]
      model["unk_id"] = names.index(unknown)
    parsed |= {"added_tokens": [], "post_processor": None}
    parsed |= {"truncation": None, "padding": None}
  except (ArithmeticError, LookupError, TypeError, ValueError) as error:
    raise tokenizer_json.not_a_tokenizer(path, error) from error
  with tokenizer_json.using(path):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(parsed))
    tokenizer.add_special_tokens(signs)
    return tokenizer.to_str()


def shun(content: str, ids: Collection[int]) -> str:
  """Changes a tokenizer.json so that no text gets these ids.

  Their tokens get names of characters that Unicode keeps out of texts. (A bad
  score is not enough: a unigram model scores unknown characters even worse.)
  """
  parsed = json.loads(content)
  model = parsed["model"]
  names = {i: f"\ufdd0{i}\ufdd1" for i in ids}
  if isinstance(model["vocab"], dict):
    vocab = model["vocab"].items()
    model["vocab"] = {names.get(i, token): i for token, i in vocab}
  else:
    for i, pair in enumerate(model["vocab"]):
      pair[0] = names.get(i, pair[0])
  for token in parsed.get("added_tokens") or ():
    token["content"] = names.get(token["id"], token["content"])
  return json.dumps(parsed)


def check_kind(kind: str) -> None:
  """Raises UsageError unless `kind` is one of KINDS or a file."""
  if kind in KINDS or pathlib.Path(kind).expanduser().is_file():
    return
  near = difflib.get_close_matches(kind, KINDS, n=1)
  raise UsageError(
    f"--data.tokenizer={kind}: valid are {', '.join(KINDS)} and the path of a "
    "tokenizer.json" + (f" (nearest: {near[0]})" if near else "")
  )
