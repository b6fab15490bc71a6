"""Finds the writings of a corpus, once, and keeps them in the cache.

Words and sentences of English are found as ever; what they are in other
writings depends on rules and libraries that have versions, and only there do
these belong to the key of cached rows.
"""

from __future__ import annotations

import json
import pathlib

from lm_jax.data import segmenters, sentence_ends
from lm_jax.data.corpus import SPLITS, Corpus
from lm_jax.data.word_facts import Rules
from lm_jax.support import cache, typed_json

_FILE = "writings.json"
_SENTENCES = "sentences"
# They go up when other words, or sentences, are found in the same texts.
_WORDS_VERSION, _SENTENCES_VERSION = 1, 1


def of_corpus(corpus: Corpus, root: str) -> list[str]:
  """Lists the writings of a corpus, as `segmenters.writings_of` names them.

  "sentences" is among them if sentences may end otherwise than in English.
  Reads the corpus until all have been seen, the first time.

  Args:
    root: the directory for prepared data, as --data.cache names it.
  """
  name = cache.key("writings 1", corpus.fingerprint)
  folder = cache.root(root) / "writings" / name

  def build(partial: pathlib.Path) -> None:
    (partial / _FILE).write_text(json.dumps(_seen(corpus)), "utf-8")
    cache.seal(partial)

  cache.prepared(folder, build)
  cache.require_whole(folder, [_FILE])
  return typed_json.read_as(folder / _FILE, list[str])


def _seen(corpus: Corpus) -> list[str]:
  left = set(segmenters.WRITINGS) | {_SENTENCES}
  seen: set[str] = set()
  for split in SPLITS:
    for document in corpus.documents(split):
      new = set(segmenters.writings_of([document.text], left))
      if _SENTENCES in left and sentence_ends.differs(document.text):
        new.add(_SENTENCES)
      seen |= new
      left -= new
      if not left:
        return sorted(seen)
  return sorted(seen)


def facts(writings: list[str], rules: Rules) -> list[str]:
  """Returns what a key of rows says of words and sentences; [] for English."""
  made = []
  if rules.by_script and set(writings) - {_SENTENCES}:
    made.append(f"words {_WORDS_VERSION}: {segmenters.used(writings)}")
  if rules.sentences == "script" and _SENTENCES in writings:
    made.append(f"sentences {_SENTENCES_VERSION}")
  return made
