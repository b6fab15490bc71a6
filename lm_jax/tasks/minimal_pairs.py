"""Real held-out sentences against changed ones: is the real one preferred?"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from lm_jax.data import minimal_pairs
from lm_jax.tasks import _pairs, base

# A pseudo-likelihood takes one pass per token: short sentences keep it cheap.
WORDS = 12
PAIRS = 360
QUICK_PAIRS = 90


class MinimalPairs(base.Task):
  """How often the real sentence scores above the changed one.

  As BLiMP (Warstadt et al. 2020) by the model's own score of the whole
  sentence, here computed in float32 and summed in float64.
  """

  quick = True

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.scoring:
      return base.Measure()
    pairs = fitting_pairs(dataset)
    if quick:
      pairs = pairs[:QUICK_PAIRS]
    if not pairs:
      return base.Measure()
    metrics, items = accuracy(scorer, pairs)
    told = [
      {"task": "minimal_pairs", "id": str(number), "score": score}
      | {"good": pair.good, "bad": pair.bad, "kind": pair.kind}
      for number, (pair, score) in enumerate(zip(pairs, items, strict=True))
    ]
    return base.Measure(metrics, {"minimal_pairs": items}, told)


@functools.lru_cache(maxsize=4)
def fitting_pairs(dataset) -> list[minimal_pairs.MinimalPair]:
  """The pairs whose sentences both fit a row; the same for every model."""
  pairs = minimal_pairs.minimal_pairs(
    dataset.corpus, PAIRS, base.SEED, max_words=WORDS
  )
  encode, specials = dataset.tokenizer.encode, dataset.specials
  room = dataset.length - len(specials.before) - len(specials.after)
  return [
    pair
    for pair in pairs
    if max(len(encode(pair.good)), len(encode(pair.bad))) <= room
  ]


def accuracy(
  scorer, pairs: Sequence[Any]
) -> tuple[dict[str, float], list[float]]:
  """Accuracies, and the score of each pair: 1, 0 or, for a tie, 0.5.

  Args:
    scorer: the model.
    pairs: with fields good, bad and kind.

  Returns:
    Accuracies over all and by kind, and the items.
  """
  _, _, right = _pairs.scores(scorer, pairs)
  kinds = [(pair.kind,) for pair in pairs]
  return _pairs.accuracies("minimal_pairs", right, kinds), right
