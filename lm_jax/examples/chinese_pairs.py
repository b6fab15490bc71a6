"""Damages Chinese sentences by rules: classifiers, aspect, order of words.

The kinds are those of SLING (Song et al. 2022: Classifier-Noun, Aspect) and
ZhoBLiMP (Liu et al. 2024); the sentences are real ones. Simplified and
traditional characters are both known.
"""

from __future__ import annotations

import collections
import random
import re
from collections.abc import Callable, Iterable

from lm_jax.examples.attested import RATIO
from lm_jax.examples.cohesion import Words
from lm_jax.examples.script_pairs import spliced

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff"
_NUMBERS = "一二两兩三四五六七八九十几幾这這那哪每某"
# Measure words that one noun may have side by side: none of a set replaces
# another of it. 个 and 种 go with most nouns, and never replace.
_SETS = (
  "个個",
  "种種",
  "位名员員",
  "只隻头頭匹",
  "条條根",
  "家间間座所栋棟幢",
  "部本册冊篇",
  "张張幅面",
  "台辆輛架艘",
  "件项項套",
  "棵朵颗顆粒",
  "把支枝",
)
_SET_OF = {sign: number for number, s in enumerate(_SETS) for sign in s}
_REPLACING = "".join(_SETS[2:])
# Not 第一位 (an ordinal), 一部分, 这只是, 一面, 一头扎, 一件件.
_CLASSIFIER = re.compile(
  rf"(?<![第之][{_NUMBERS}])(?<=[{_NUMBERS}])"
  rf"(?![部][分份]|[只][是有能会要好不]|面[对對临臨向])"
  rf"([{''.join(_SETS)}])(?=(?!\1)[{_HAN}])"
)
# Of a verb before more of its sentence: not 为了, 除了, 了解; 通过, 过去; 随着.
_ASPECT = re.compile(
  rf"(?<=[{_HAN}])(?<![为為除极極罢罷得算受通经經超不越难難渡度路错錯随隨沿本跟])"
  rf"(?<!有)([了着著过過])(?![解不去来來程度于於名作重手])(?=[{_HAN}])"
)
# Between the frequencies of a classifier and its replacement, of which there
# are few.
_RATIO = 2 * RATIO
_ADVERBS_TEXT = (
  "不 没 沒 也 都 就 才 还 還 又 再 很 已 已经 已經 曾 曾经 曾經 正在"
  " 将 將 并 並 只 更 最 非常 十分 均 仍 仍然 必须 必須 可以 能够 能夠 应该"
  " 應該 一直 经常 經常"
)
_ADVERBS = frozenset(_ADVERBS_TEXT.split())


class Chinese:
  """Damages sentences in three ways that Chinese has."""

  def __init__(self, texts: Iterable[str], rng: random.Random, words: Words):
    self._rng, self._words = rng, words
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
      counts.update(match[1] for match in _CLASSIFIER.finditer(text))
    # Those of the text, and so in its kind of characters.
    self._classifiers = counts

  def ways(self) -> dict[str, Callable[[str], str | None]]:
    """Returns the function of each kind: it damages a sentence, or can't."""
    return {
      "classifier": self.classifier,
      "aspect": self.aspect,
      "order": self.order,
    }

  def classifier(self, sentence: str) -> str | None:
    """Replaces a measure word by one of another set: 一只狗, 一本狗."""
    matches = list(_CLASSIFIER.finditer(sentence))
    if not matches:
      return None
    match = self._rng.choice(matches)
    count = self._classifiers.get(match[1], 0)
    others = [
      sign
      for sign, own in self._classifiers.items()
      if sign in _REPLACING
      and _SET_OF[sign] != _SET_OF[match[1]]
      # Else the frequency of the sign alone would tell.
      and count / _RATIO <= own <= count * _RATIO
    ]
    if not others:
      return None
    return spliced(sentence, [(match.span(1), self._rng.choice(others))])

  def aspect(self, sentence: str) -> str | None:
    """Moves 了, 着 or 过 before its verb: 他看了书, 他了看书."""
    starts = {b: a for a, b in self._words.spans(sentence)}
    moves = []
    for match in _ASPECT.finditer(sentence):
      middle, end = match.span(1)
      start = starts.get(end, end)  # 看了 may be one word, or two.
      start = starts.get(middle, middle) if start == middle else start
      if start < middle:
        moves.append((start, middle, end))
    if not moves:
      return None
    start, middle, end = self._rng.choice(moves)
    moved = sentence[middle:end] + sentence[start:middle]
    return spliced(sentence, [((start, end), moved)])

  def order(self, sentence: str) -> str | None:
    """Moves an adverb behind the word that follows it: 他也去, 他去也."""
    spans = self._words.spans(sentence)
    words = [sentence[a:b] for a, b in spans]
    places = [
      i
      for i in range(len(words) - 1)
      if words[i] in _ADVERBS
      and words[i + 1] not in _ADVERBS
      and spans[i][1] == spans[i + 1][0]
    ]
    if not places:
      return None
    i = self._rng.choice(places)
    moved = [(spans[i], words[i + 1]), (spans[i + 1], words[i])]
    return spliced(sentence, moved)
