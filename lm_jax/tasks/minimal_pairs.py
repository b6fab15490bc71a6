"""Measures preference of real held-out sentences over changed ones."""

from __future__ import annotations

import functools

from lm_jax.examples import minimal_pairs, records
from lm_jax.tasks import _pairs, base

# A pseudo-likelihood takes one pass per token: short sentences keep it cheap.
WORDS = 12
PAIRS = 360
QUICK_PAIRS = 90


class MinimalPairs(base.Task):
  """Measures how often the real sentence scores above the changed one.

  Like BLiMP (Warstadt et al. 2020) it uses the model's own score of the whole
  sentence, computed in float32 and summed in float64.

  split: of the sentences; tuning looks at the validation split alone.
  """

  quick = True
  split = "test"

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    if not scorer.scoring:
      return base.Measure()
    numbered = list(enumerate(fitting_pairs(dataset, self.split)))
    if quick:
      numbered = numbered[:QUICK_PAIRS]
    numbered = records.chosen(numbered, self.limit, self.seed)
    numbers, pairs = [i for i, _ in numbered], [pair for _, pair in numbered]
    if not pairs:
      return base.Measure()
    good, bad, right = _pairs.scores(scorer, pairs)
    items = _pairs.by_metric(
      "minimal_pairs", right, [(pair.kind,) for pair in pairs]
    )
    predictions = [
      {
        "task": "minimal_pairs",
        "id": str(numbers[i]),
        "score": right[i],
        "good": pair.good,
        "bad": pair.bad,
        "kind": pair.kind,
        "scores": [float(good[i]), float(bad[i])],
      }
      for i, pair in enumerate(pairs)
    ]
    return base.Measure(_pairs.means(items), items, predictions)


@functools.lru_cache(maxsize=4)
def fitting_pairs(
  dataset, split: str = "test"
) -> list[minimal_pairs.MinimalPair]:
  """Returns the pairs whose sentences fit a row; the same for every model."""
  encode, specials = dataset.tokenizer.encode, dataset.specials
  room = dataset.length - len(specials.before) - len(specials.after)
  return [
    pair
    for pair in drawn(dataset.corpus, split)
    if max(len(encode(pair.good)), len(encode(pair.bad))) <= room
  ]


# All models of an experiment are measured on the same ones.
@functools.lru_cache(maxsize=4)
def drawn(corpus, split: str = "test") -> tuple[minimal_pairs.MinimalPair, ...]:
  return tuple(
    minimal_pairs.minimal_pairs(
      corpus, PAIRS, base.SEED, max_words=WORDS, split=split
    )
  )
