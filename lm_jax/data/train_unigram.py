"""Trains a unigram model (Kudo 2018) on characters, with bytes for the rest.

SentencePiece's EM prunes the pieces; the seeds are ours. Both SentencePiece and
the tokenizers library seed with substrings that several characters follow, of a
text where one boundary follows each word; so that a whole word is no seed
unless it begins longer ones, and much of a language of short words (Vietnamese)
is spelt out.
"""

from __future__ import annotations

import io
import itertools
import math
import pathlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.data import alphabet, vocabulary

# SentencePiece's defaults.
COVERAGE, LONGEST, SEEDS = 0.9995, 16, 10**6
# EM adds up in an order that the number of threads decides.
_THREADS = 2
_SPACE = "\u2581"
# SentencePiece gives these a meaning of its own.
_RESERVED = frozenset(f"\t\n\r\0{_SPACE}\u2585")
# A probability that no text prefers, of pieces that stand for no text.
_NEVER = 100.0


def pieces(
  texts: Sequence[str], room: int, words: Any
) -> list[tuple[str, float]]:
  """Learns pieces of characters and their log-probabilities.

  Args:
    texts: to learn from.
    room: most pieces.
    words: the pre-tokenizer; no piece is longer than a word.
  """
  counts: Counter[str] = Counter()
  for text in texts:
    counts.update(word for word, _ in words.pre_tokenize_str(text))
  total = sum(counts.values())
  plain = {
    word: counts[word] for word in sorted(counts) if not _RESERVED & set(word)
  }
  blank = [
    (word, math.log(count / total))
    for word, count in sorted(counts.items())
    if word not in plain and word.isspace() and count > 1
  ][: room // 8]
  room -= len(blank)
  known = _alphabet(plain, room)
  runs = _runs(plain, known)
  return (_estimated(runs, known, room) if runs else []) + blank


def _alphabet(words: Mapping[str, int], room: int) -> Counter[str]:
  """Counts the characters that get pieces; at most half of all pieces."""
  counts: Counter[str] = Counter()
  for word, count in words.items():
    for sign in word:
      counts[sign] += count
  chosen = alphabet.covering(counts, COVERAGE)[: max(1, room // 2)]
  return Counter({sign: counts[sign] for sign in chosen})


def _runs(words: Mapping[str, int], known: Counter[str]) -> Counter[str]:
  """Counts the runs of known characters in words."""
  runs: Counter[str] = Counter()
  for word, count in words.items():
    for is_known, run in itertools.groupby(word, known.__contains__):
      if is_known:
        runs["".join(run)] += count
  return runs


def _estimated(
  words: Mapping[str, int], known: Counter[str], room: int
) -> list[tuple[str, float]]:
  """Prunes the seeds by EM, until `room` are left."""
  import sentencepiece

  model = io.BytesIO()
  with tempfile.TemporaryDirectory() as folder:
    seeds = pathlib.Path(folder, "seeds.tsv")
    with seeds.open("w", encoding="utf-8") as file:
      file.writelines(f"{c}\t{n}\n" for c, n in _seeds(words, known))
    sentencepiece.SentencePieceTrainer.train(
      sentence_iterator=(f"{word}\t{n}" for word, n in words.items()),
      input_format="tsv",
      model_writer=model,
      model_type="unigram",
      vocab_size=room + 1,  # with the unknown piece
      hard_vocab_limit=False,
      seed_sentencepieces_file=str(seeds),
      max_sentencepiece_length=LONGEST,
      max_sentence_length=2**30,
      character_coverage=1.0,
      normalization_rule_name="identity",
      add_dummy_prefix=False,
      remove_extra_whitespaces=False,
      allow_whitespace_only_pieces=True,
      split_by_whitespace=False,
      split_by_unicode_script=False,
      split_by_number=False,
      bos_id=-1,
      eos_id=-1,
      num_threads=_THREADS,
      minloglevel=2,
    )
  read = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
  return [
    (read.id_to_piece(i).replace(_SPACE, " "), read.get_score(i))
    for i in range(len(read))
    if not read.is_unknown(i)
  ]


def _seeds(
  words: Mapping[str, int], known: Counter[str]
) -> Iterator[tuple[str, int]]:
  """Yields the characters, and then the best substrings, with their counts."""
  for sign in alphabet.ranked(known):
    yield sign.replace(" ", _SPACE), known[sign]
  for text, count in substrings(words):
    yield text.replace(" ", _SPACE), count


def substrings(words: Mapping[str, int]) -> list[tuple[str, int]]:
  """Counts the substrings of words that occur twice or more.

  Args:
    words: counts.

  Returns:
    At most SEEDS of 2 to LONGEST characters, the largest count times length
    first.
  """
  joined = "".join(word + "\0" for word in words)
  codes_T = np.frombuffer(joined.encode("utf-32-le"), np.uint32)
  sizes_N = [len(word) + 1 for word in words]
  weights_T = np.repeat(np.array(list(words.values()), np.int64), sizes_N)
  alphabet_A, ids_T = np.unique(codes_T, return_inverse=True)
  allowed_T = codes_T != 0
  # Starts of the substrings of a length that occur often enough, and a number
  # for each of these: longer ones begin with them.
  starts = np.flatnonzero(allowed_T)
  numbers = ids_T[starts].astype(np.int64)
  scores, places, lengths = [], [], []
  for length in range(2, LONGEST + 1):
    last = starts + length - 1
    inside = last < len(codes_T)
    inside[inside] = allowed_T[last[inside]]
    starts, numbers, last = starts[inside], numbers[inside], last[inside]
    if not starts.size:
      break
    _, first, number = np.unique(
      numbers * len(alphabet_A) + ids_T[last],
      return_index=True,
      return_inverse=True,
    )
    counts = np.bincount(number, weights=weights_T[starts]).astype(np.int64)
    often = counts >= 2
    scores.append(counts[often] * length)
    places.append(starts[first[often]])
    lengths.append(np.full(int(often.sum()), length))
    starts, numbers = starts[often[number]], number[often[number]]
  if not scores:
    return []
  score, place, size = map(np.concatenate, (scores, places, lengths))
  best = np.lexsort((size, place, -score))[:SEEDS]
  return [
    (joined[place[i] : place[i] + size[i]], int(score[i] // size[i]))
    for i in best
  ]


def scored(
  specials: Sequence[str], learnt: Sequence[tuple[str, float]]
) -> list[tuple[str, float]]:
  """Returns special tokens, bytes and pieces with their log-probabilities."""
  low = min((score for _, score in learnt), default=0.0) - _NEVER
  others = [*specials, *vocabulary.byte_names()]
  return [(name, low) for name in others] + [*learnt]
