"""Makes minimal pairs: held-out sentences, each with one thing changed.

"swap": two words at most three apart are exchanged. "replace": a word is
replaced by one of similar frequency in the training text. "inflection", of
English alone, whose rules are known: another number (english_pairs.py).
"classifier", "aspect" and "order", of Chinese: another measure word; 了, 着 or
过 before its verb; and an adverb behind its verb (chinese_pairs.py).

The changed sentence is worse on average, not always: a noun's other number
may be as good, and languages with a free order of words allow many swaps.
Chance is 1/2 for every kind.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from lm_jax.data.corpus import Corpus
from lm_jax.data.vocabulary import TRAINING_BYTES, some
from lm_jax.examples import letters
from lm_jax.examples.chinese_pairs import Chinese
from lm_jax.examples.cohesion import Words
from lm_jax.examples.english_pairs import English, clean_sentences, is_clean
from lm_jax.examples.script_pairs import ALPHABETS, UNSPACED, AnyScript, units

# A script with less of the held-out words makes no pairs.
_LEAST_SHARE = 0.01
# Letters of a word, about; of scripts that part words by spaces, and others.
_LETTERS, _LETTERS_UNSPACED = 5.0, 1.6
# Held-out text that tells the scripts.
_JUDGED_BYTES = 32 * 2**20
# Frequencies of scripts other than Latin: segmenters take their time.
_COUNTED_BYTES = 10 * 2**20

Ways = Mapping[str, Callable[[str], str | None]]


@dataclasses.dataclass(frozen=True)
class MinimalPair:
  """A real sentence, a damaged one, and the kind of damage.

  kind: "swap", "replace", "inflection", "classifier", "aspect" or "order".
  script: of most letters, "Latin" or "Han"; "Japanese" is Han with kana.
  """

  good: str
  bad: str
  kind: str
  script: str = letters.LATIN


def minimal_pairs(
  corpus: Corpus,
  count: int,
  seed: int,
  max_words: int = 20,
  split: str = "test",
) -> list[MinimalPair]:
  """Makes up to `count` pairs of distinct sentences, equally many of a kind.

  Scripts have pairs in proportion to their share of the held-out words.

  Args:
    max_words: English sentences have from 6 words to this many; those of other
      languages two thirds more (script_pairs.py).
    split: source of the sentences; frequencies are of the first 50 MB of the
      training split, or 10 MB where it is not all English.

  Returns:
    The pairs, a function of the arguments and of the installed segmenters
    alone; fewer than `count` where sentences run out.
  """
  rng = random.Random(seed)

  def held() -> Iterator[str]:
    return (document.text for document in corpus.documents(split))

  train = (document.text for document in corpus.documents("train"))
  judged = list(some(held(), _JUDGED_BYTES))
  shares = _shares(judged)
  if shares.keys() <= {letters.LATIN} and letters.is_english(judged):
    sentences = clean_sentences(held(), max_words)
    rng.shuffle(sentences)
    english = English(some(train, TRAINING_BYTES), rng)
    return _made(sentences, english.ways(), count, letters.LATIN)
  del judged
  counted = list(some(train, _COUNTED_BYTES))
  by_script = _by_script(held(), shares, max_words)
  lacking = shares.keys() - {script for script, _ in by_script}
  if lacking:  # Verses, for example, have no stops at all.
    rest = {script: shares[script] for script in lacking}
    by_script |= _by_script(held(), rest, max_words, stops=False)
  made, weights = [], []
  for (script, is_english), sentences in by_script.items():
    rng.shuffle(sentences)
    ways = _ways(script, is_english, counted, rng)
    made.append(_made(sentences, ways, count, script))
    own = sum(len(x) for (name, _), x in by_script.items() if name == script)
    weights.append(shares[script] * len(sentences) / own)
  return _mixed(made, weights, count)


def _shares(texts: Iterable[str]) -> dict[str, float]:
  """The share of the words of each script that has enough of them."""
  words = {
    script: count / (_LETTERS_UNSPACED if script in UNSPACED else _LETTERS)
    for script, count in letters.with_japanese(letters.letters(texts)).items()
  }
  total = sum(words.values())
  return {s: n / total for s, n in words.items() if n >= _LEAST_SHARE * total}


def _by_script(
  texts: Iterable[str],
  shares: Mapping[str, float],
  max_words: int,
  stops: bool = True,
) -> dict[tuple[str, bool], list[str]]:
  """Collects distinct sentences by script, and whether they are English."""
  distinct: dict[tuple[str, bool], dict[str, None]] = {}
  for text in texts:
    for sentence in units(text, max_words, stops):
      script = letters.main_script(sentence)
      if script == letters.HAN and script not in shares:
        script = letters.JAPANESE
      english = False
      if script == letters.LATIN and letters.is_english_sentence(sentence):
        english = True
        if not is_clean(sentence, max_words):
          continue
      if script in shares:
        distinct.setdefault((script, english), {})[sentence] = None
  return {part: list(own) for part, own in sorted(distinct.items())}


def _ways(
  script: str, is_english: bool, texts: Sequence[str], rng: random.Random
) -> Ways:
  """The kinds of damage that sentences of a script can have."""
  if is_english:
    return English(iter(texts), rng).ways()
  words = Words(texts)
  if script in ALPHABETS and words.by_character:
    return {}  # Broken words, which the frequency of tokens alone tells.
  damage = AnyScript(texts, script, rng, words)
  if script == letters.HAN:
    return damage.ways() | Chinese(texts, rng, words).ways()
  return damage.ways()


def _made(
  sentences: Sequence[str], ways: Ways, count: int, script: str
) -> list[MinimalPair]:
  """Damages each sentence in one way: the one with the fewest pairs so far."""
  made = dict.fromkeys(ways, 0)
  pairs: list[MinimalPair] = []
  for sentence in sentences:
    if len(pairs) == count:
      break
    for kind in sorted(made, key=lambda kind: made[kind]):
      bad = ways[kind](sentence)
      if bad and made[kind] * len(ways) < count:
        pairs.append(MinimalPair(sentence, bad, kind, script))
        made[kind] += 1
        break
  return pairs


def _mixed(
  made: Sequence[Sequence[MinimalPair]], weights: Sequence[float], count: int
) -> list[MinimalPair]:
  """Takes pairs of several parts by their weights, and interleaves them.

  What a part lacks the others give.
  """
  taken = [0] * len(made)
  pairs: list[MinimalPair] = []
  while len(pairs) < count:
    left = [i for i, part in enumerate(made) if taken[i] < len(part)]
    if not left:
      break
    part = min(left, key=lambda i: ((taken[i] + 1) / weights[i], i))
    pairs.append(made[part][taken[part]])
    taken[part] += 1
  return pairs


def counts(pairs: Iterable[MinimalPair]) -> dict[str, dict[str, int]]:
  """Counts pairs by script and kind: {"Latin": {"swap": 120, ...}}."""
  numbers: dict[str, dict[str, int]] = {}
  for pair in pairs:
    own = numbers.setdefault(pair.script, {})
    own[pair.kind] = own.get(pair.kind, 0) + 1
  return numbers
