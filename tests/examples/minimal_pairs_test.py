import collections
import hashlib
import json
import random
import re

import pytest

from lm_jax.data import sotu
from lm_jax.data.corpus import Corpus, Document
from lm_jax.examples import attested, english_pairs
from lm_jax.examples import minimal_pairs as mp

_TRAIN = [
  "The king of the country was in the city. The kings of the cities were "
  "here. This country has a great many people in these cities. Great and "
  "small houses have walls. A house of a small king is great. They do see "
  "what he does in a great many small houses with many walls. " * 6
]


def _corpus(held):
  texts = {"train": _TRAIN, "test": [held], "validation": []}
  return Corpus(
    "tiny", "tiny", lambda split: (Document(t, {}) for t in texts[split])
  )


def _words(text):
  return re.findall(r"[\w'’-]+", text)


@pytest.fixture(scope="module")
def pairs():
  rng = random.Random(0)
  words = ["the", "king", "was", "in", "a", "great", "city", "with", "many"]
  words += ["small", "houses"]
  held = []
  for _ in range(300):
    chosen = [rng.choice(words) for _ in range(rng.randint(6, 20))]
    chosen[rng.randrange(2, 5)] += ","
    held.append(" ".join(chosen).capitalize() + rng.choice(".!?"))
  return mp.minimal_pairs(_corpus(" ".join(held)), 90, 0), set(held)


def test_pairs_are_of_held_out_sentences_and_balanced(pairs):
  found, held = pairs
  assert collections.Counter(p.kind for p in found) == {
    "swap": 30,
    "replace": 30,
    "inflection": 30,
  }
  assert {p.good for p in found} <= held
  assert len({p.good for p in found}) == 90
  assert all(p.good != p.bad for p in found)
  assert all(6 <= len(_words(p.good)) <= 20 for p in found)


def test_only_the_change_that_the_kind_names_is_made(pairs):
  count = collections.Counter(_words(_TRAIN[0].lower()))
  for pair in pairs[0]:
    good, bad = _words(pair.good), _words(pair.bad)
    changed = [i for i in range(len(good)) if good[i] != bad[i]]
    # Everything between the words stays where it was.
    assert re.sub(r"\w+", "", pair.good) == re.sub(r"\w+", "", pair.bad)
    if pair.kind == "swap":
      i, j = changed
      assert (good[i], good[j]) == (bad[j], bad[i])
      assert j - i <= english_pairs.REACH
    else:
      (i,) = changed
      old, new = good[i].lower(), bad[i].lower()
      assert good[i].istitle() == bad[i].istitle()
      assert count[new] >= attested.ATTESTED
      if pair.kind == "replace":
        assert 1 / attested.RATIO <= count[new] / count[old] <= attested.RATIO
      else:
        singular, plural = sorted((old, new))
        assert (
          (singular, plural) in {("is", "are"), ("was", "were")}
          or plural in (singular + "s", singular + "es")
          or {old, new} == {"city", "cities"}
        )


def test_a_pair_is_a_function_of_the_arguments():
  held = "The king was in the great city. The house of a king has small walls."
  first = mp.minimal_pairs(_corpus(held), 6, 1)
  assert first == mp.minimal_pairs(_corpus(held), 6, 1)
  assert len(first) == 2


def test_sentences_are_clean_and_distinct():
  text = (
    "THE ANNUAL MESSAGE OF THE PRESIDENT.\n\n"
    "The king was in the city today.\n\nA heading of more than six words\n\n"
    "The king was in\nthe city today. "
    "He paid 500 dollars for it, they said. No. It is of [applause] the king! "
    "Don't the well-known kings, who do it, see?"
  )
  assert english_pairs.clean_sentences(iter([text]), 20) == [
    "The king was in the city today.",
    "Don't the well-known kings, who do it, see?",
  ]


def test_pairs_of_the_embedded_corpus_are_those_of_every_run_so_far():
  messages = sotu.read()

  def read(split):
    for message in messages:
      if sotu.split_of(message["year"]) == split:
        yield Document(message["text"], {})

  corpus = Corpus("sotu", "", read)
  pairs = mp.minimal_pairs(corpus, 360, 0, max_words=12)
  items = json.dumps([(pair.good, pair.bad, pair.kind) for pair in pairs])
  # Runs from before commit 5e19550 on have scores of these, in this order.
  digest = hashlib.sha256(items.encode()).hexdigest()
  assert digest.startswith("3dba2bdb0ccc5112")
