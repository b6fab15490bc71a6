"""Damages Chinese sentences by rules: classifiers, aspect, order of words.

The kinds are those of SLING (Song et al. 2022: Classifier-Noun, Aspect) and
ZhoBLiMP (Liu et al. 2024); the sentences are real ones. Simplified and
traditional characters are both known.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable

from lm_jax.data import words as words_lib
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
# Another form for each: the commonest of the two that is least often right.
_OTHER_ASPECT = {
  **{"了": "着", "着": "过", "著": "過", "过": "着", "過": "著"},
}
_ADVERBS_TEXT = (
  "不 没 沒 也 都 就 才 还 還 又 再 很 已 已经 已經 曾 曾经 曾經 正在"
  " 将 將 并 並 只 更 最 非常 十分 均 仍 仍然 必须 必須 可以 能够 能夠 应该"
  " 應該 一直 经常 經常"
)
_ADVERBS = frozenset(_ADVERBS_TEXT.split())


class Chinese:
  """Damages sentences in three ways that Chinese has."""

  def __init__(self, texts: Iterable[str], rng: random.Random):
    self._rng = rng
    counts = dict.fromkeys(_REPLACING, 0)
    for text in texts:
      for match in _CLASSIFIER.finditer(text):
        if match[1] in counts:
          counts[match[1]] += 1
    # As frequent as in the text, and in its kind of characters.
    self._classifiers = {sign: n for sign, n in counts.items() if n}

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
    others = {
      sign: count
      for sign, count in self._classifiers.items()
      if _SET_OF[sign] != _SET_OF[match[1]]
    }
    if not others:
      return None
    [new] = self._rng.choices(list(others), list(others.values()))
    return spliced(sentence, [(match.span(1), new)])

  def aspect(self, sentence: str) -> str | None:
    """Replaces 了, 着 or 过 behind a verb by another one."""
    matches = list(_ASPECT.finditer(sentence))
    if not matches:
      return None
    match = self._rng.choice(matches)
    return spliced(sentence, [(match.span(1), _OTHER_ASPECT[match[1]])])

  def order(self, sentence: str) -> str | None:
    """Moves an adverb behind the word that follows it: 他也去, 他去也."""
    spans = words_lib.spans(sentence)
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
