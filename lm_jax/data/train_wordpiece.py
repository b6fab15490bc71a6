"""Chooses WordPiece's alphabet, and how its tokens become text again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from lm_jax.data import alphabet
from lm_jax.support.errors import UsageError

# BERT's trainer takes so many; with all of a text's there is no unknown word.
USUAL = 1000
# An estimated share of unknown tokens below which no more characters are taken,
# and one above which a vocabulary is refused.
ENOUGH, MOST_UNKNOWN = 0.005, 0.01
# Characters of Chinese and Japanese; the normalizer puts spaces around them.
_EAST_ASIAN = (
  r"[\p{Han}\p{Hiragana}\p{Katakana}\x{3000}-\x{303F}\x{FF00}-\x{FFEF}]"
)
UNSPACED = f"(?<={_EAST_ASIAN}) | (?={_EAST_ASIAN})"


def choose(
  texts: Sequence[str], size: int, specials: int, tokenizer: Any
) -> tuple[list[str] | None, float]:
  """Chooses the characters of WordPiece's alphabet.

  Args:
    texts: to learn from.
    size: of the vocabulary.
    specials: number of special tokens in it.
    tokenizer: its normalizer and pre-tokenizer find the words.

  Returns:
    The characters, or None for all of them, and the estimated share of tokens
    of another text that are unknown.

  Raises:
    UsageError: the vocabulary is too small: it leaves more than MOST_UNKNOWN
      unknown.
  """
  room = size - specials
  signs: set[str] = set().union(*texts)
  if len(signs) <= USUAL and 2 * len(signs) <= room:
    return None, 0.0
  words: Counter[str] = Counter()
  for text in texts:
    text = tokenizer.normalizer.normalize_str(text)
    parts = tokenizer.pre_tokenizer.pre_tokenize_str(text)
    words.update(word for word, _ in parts)
  counts: Counter[str] = Counter()
  later: set[str] = set()  # within words these are tokens of their own
  for word, count in words.items():
    later.update(word[1:])
    for sign in word:
      counts[sign] += count
  order = alphabet.ranked(counts)
  takes = [0]
  for sign in order:
    takes.append(takes[-1] + 1 + (sign in later))
  shares = alphabet.unknown_shares(words, counts, alphabet.rare(texts))
  # However large, an alphabet leaves out what the text lacks.
  limit = max(MOST_UNKNOWN, 1.1 * shares[-1])
  fits = max((n for n, taken in enumerate(takes) if taken <= room), default=0)
  if shares[fits] > limit:
    least = next(n for n, share in enumerate(shares) if share <= limit)
    raise UsageError(
      f"--data.vocabulary_size={size}: too small for --data.tokenizer=wordpiece"
      f": about {shares[fits]:.1%} of the tokens would be unknown; with "
      f"{takes[least] + specials} {limit:.1%} would, and with bpe none"
    )
  enough = next((n for n, x in enumerate(shares) if x <= ENOUGH), fits)
  count = min(fits, max(enough, USUAL))
  return order[:count], shares[count]
