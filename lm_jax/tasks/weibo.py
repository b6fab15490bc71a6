"""Measures Weibo NER: entities of four kinds in Chinese posts, by character."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.examples import conll, files
from lm_jax.examples.forms import Tagged
from lm_jax.tasks import _entities
from lm_jax.tasks._files import Names


def _bare(path: pathlib.Path) -> list[Tagged]:
  """Reads columns; removes the places in words that may follow characters.

  The second version has "我0", "们1": each character with its place in a word.
  They are removed if all characters of a file have one.
  """
  sentences = conll.columns(path)
  if not all(map(_has_places, sentences)):
    return sentences
  return [
    dataclasses.replace(one, words=tuple(word[:-1] for word in one.words))
    for one in sentences
  ]


def _has_places(sentence: Tagged) -> bool:
  words: Sequence[str] = sentence.words
  return all(len(word) > 1 and word[-1] in "0123456789" for word in words)


class Weibo(_entities.EntityTask):
  """Peng and Dredze 2015 and 2016; entity F1.

  Kinds are PER, ORG, LOC and GPE, each of a name (NAM) or a noun (NOM). An I
  that continues nothing of its kind begins an entity, as conlleval has it.
  """

  # Both versions, with names that end with a split and no suffix.
  names = Names(
    *(
      (f"weiboNER_2nd_conll.{split}", f"weiboNER.conll.{split}")
      for split in ("train", "dev", "test")
    )
  )

  def readers(self) -> Mapping[str, files.Reader]:
    own = {end: _bare for end in conll.READERS if end != ".jsonl"}
    return {**conll.READERS, **own, "": _bare}
