"""BM25 against its formula, over all words of all documents."""

import math

import pytest
import small_collection as small

from lm_jax.retrieval.bm25 import BM25

TEXTS = {name: f"{t} {x}".strip() for name, (t, x) in small.DOCUMENTS.items()}
# As stemming leaves them: documents and queries in words that are its own.
STEMMED = {
  "a": "red fox red fox ran hill",
  "b": "boat boat sail lake fox look",
  "c": "bread bake flour water",
  "d": "red red red",
}


def by_formula(query, k1, b):
  """Robertson and Zaragoza 2009, with Lucene's idf and without k1 + 1."""
  words = {name: text.split() for name, text in STEMMED.items()}
  mean = sum(map(len, words.values())) / len(words)
  scores = {}
  for name, document in words.items():
    score = 0.0
    for word in query.split():
      n = sum(word in other for other in words.values())
      idf = math.log(1 + (len(words) - n + 0.5) / (n + 0.5))
      tf = document.count(word)
      norm = k1 * (1 - b + b * len(document) / mean)
      score += idf * tf / (tf + norm)
    if score:
      scores[name] = score
  return scores


@pytest.mark.parametrize(("k1", "b"), [(0.9, 0.4), (1.5, 0.0)])
@pytest.mark.parametrize("query", ["red fox", "sail fox unseen", "unseen"])
def test_scores_are_those_of_the_formula(query, k1, b):
  found = BM25(STEMMED, k1, b).search({"q": query}, 10)["q"]
  assert found == pytest.approx(by_formula(query, k1, b), rel=1e-5)
  assert list(found.values()) == sorted(found.values(), reverse=True)


def test_words_are_stemmed_and_stop_words_left_out():
  found = BM25(TEXTS).search({"q": "Foxes, the", "r": "of the", "s": ""}, 10)
  assert set(found["q"]) == {"d1", "d2"}
  assert found["r"] == found["s"] == {}
  assert BM25({"a": "", "b": "the"}).search({"q": "fox"}, 3) == {"q": {}}


def test_words_of_every_script_are_found():
  texts = {
    "zh": "北京市政府今天宣布新桥开放。",
    "zh2": "上海的天气很好。",
    "hi": "नदी पर नया पुल खुलेगा",
    "ru": "Новый мост откроют",
    "en": "a new bridge opens",
  }
  queries = {
    "zh": "新桥",
    "hi": "पुल",
    "ru": "мост",
    "en": "bridges",
    "mixed": "bridge 上海",
  }
  found = BM25(texts).search(queries, 5)
  assert {k: list(found[k]) for k in ("zh", "hi", "ru", "en")} == {
    "zh": ["zh"],
    "hi": ["hi"],
    "ru": ["ru"],
    "en": ["en"],
  }
  assert set(found["mixed"]) == {"zh2", "en"}
