"""Measures preference of real held-out sentences over changed ones."""

from __future__ import annotations

import functools

import numpy as np

from lm_jax.data import unigram
from lm_jax.examples import letters, minimal_pairs, records
from lm_jax.tasks import _pairs, base

# A pseudo-likelihood takes one pass per token: short sentences keep it cheap.
WORDS = 12
PAIRS = 360
QUICK_PAIRS = 90


class MinimalPairs(base.Task):
  """Measures how often the real sentence scores above the changed one.

  Pairs are made of held-out text in any script: by kind, and where there are
  several scripts by script, too. Like BLiMP (Warstadt et al. 2020) it uses the
  model's own score of the whole sentence, computed in float32 and summed in
  float64.

  split: of the sentences; tuning looks at the validation split alone.
  """

  quick = True
  split = "test"

  def why_not(self, scorer, dataset) -> str:
    if not scorer.scoring:
      return "the model has no score of a text"
    made, fit = len(drawn(dataset.corpus, self.split)), "in a row of the model"
    if not made:
      return (
        f"no sentence of the {self.split} split of {dataset.corpus.name} makes"
        " a pair: sentences need 6 words or more, and no quotes or brackets"
      )
    return f"none of the {made} pairs fits {fit}, {dataset.length} tokens"

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
    several = len({pair.script for pair in pairs}) > 1
    groups = [
      (pair.kind, pair.script) if several else (pair.kind,) for pair in pairs
    ]
    items = _pairs.by_metric("minimal_pairs", right, groups)
    predictions = [
      {
        "task": "minimal_pairs",
        "id": str(numbers[i]),
        "score": right[i],
        "good": pair.good,
        "bad": pair.bad,
        "kind": pair.kind,
        "scores": [float(good[i]), float(bad[i])],
        **({"script": pair.script} if pair.script != letters.LATIN else {}),
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


def by_frequency(dataset, pairs) -> float:
  """The accuracy of a model that knows only how frequent tokens are.

  Far above 1/2 it says that the pairs ask for little else.

  Args:
    dataset: whose tokenizer and training rows tell.
    pairs: not empty.
  """
  log_p_V = unigram.log_frequencies(dataset)

  def score(text: str) -> float:
    return float(log_p_V[dataset.tokenizer.encode(text)].sum())

  differences = [score(pair.good) - score(pair.bad) for pair in pairs]
  # Sums in another order differ in their last bits.
  ties = np.isclose(differences, 0, atol=1e-6)
  return float(np.where(ties, 0.5, np.array(differences) > 0).mean())


# All models of an experiment are measured on the same ones.
@functools.lru_cache(maxsize=4)
def drawn(corpus, split: str = "test") -> tuple[minimal_pairs.MinimalPair, ...]:
  return tuple(
    minimal_pairs.minimal_pairs(
      corpus, PAIRS, base.SEED, max_words=WORDS, split=split
    )
  )
