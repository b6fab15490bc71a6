"""Names special tokens and bytes, and adopts an existing tokenizer.

Every kind has the special tokens of `lm_jax.types.Specials` first, then text.
"""

from __future__ import annotations

import difflib
import itertools
import json
import pathlib
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from lm_jax.data import tokenizer_json
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:  # It imports jax.
  from lm_jax.types import Specials

KINDS = ("bpe", "wordpiece", "unigram", "bytes", "characters")
TRAINING_BYTES = 50 * 10**6
GPT2_WORDS = (
  r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
  r"|\s+(?!\S)|\s+"
)
# The same, but that a combining mark, such as a vowel of Hindi, of Thai or of
# vowelled Arabic, ends no word: it belongs to the letter before it.
WORDS = (
  r"'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}\p{M}]+| ?\p{N}+"
  r"| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"
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


def byte_names() -> list[str]:
  """Returns the names of tokens for bytes that others fall back to, in order.

  As in SentencePiece: <0x00> to <0xFF>.
  """
  return [f"<0x{byte:02X}>" for byte in range(256)]


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
