"""The yardsticks of a pretraining run, on its own corpus's held-out text."""

from __future__ import annotations

import functools
from typing import Any

from lm_jax import evaluate
from lm_jax.data import minimal_pairs, passages, rows
from lm_jax.program import Plan
from lm_jax.score import Scorer

# Items are the same for every run of an experiment, whatever its seed.
SEED = 0
PAIRS = 360
# A pseudo-likelihood takes one pass per token: short sentences keep it cheap.
PAIR_WORDS = 12
QUICK_PAIRS = 60
LIKELIHOOD_ROWS = 256
PASSAGES = 300
TASKS = ("era", "party")


class Yardsticks:
  """Scores a plan's parameters; items are drawn once.

  Args:
    dataset: of the run.
    plan: has the objective, the network, the spec and the batch size.
  """

  def __init__(self, dataset: rows.Dataset, plan: Plan):
    self._dataset = dataset
    self._plan = plan

  def scorer(self, params: Any) -> Scorer:
    plan = self._plan
    return Scorer(
      plan.objective, plan.network, params, plan.spec, self._dataset.tokenizer
    )

  @functools.cached_property
  def _pairs(self) -> list[Any]:
    pairs = minimal_pairs.minimal_pairs(
      self._dataset.corpus, PAIRS, SEED, max_words=PAIR_WORDS
    )
    fits = self._plan.spec.length
    encode = self._dataset.tokenizer.encode
    return [
      pair
      for pair in pairs
      if max(len(encode(pair.good)), len(encode(pair.bad))) < fits
    ]

  def quick(self, params: Any) -> dict[str, float]:
    """Minimal pairs on a part of the items, for learning curves."""
    pairs = self._pairs[:QUICK_PAIRS]
    if not pairs:
      return {}
    metrics, _ = evaluate.minimal_pairs(self.scorer(params), pairs)
    return {"minimal_pairs": metrics["minimal_pairs"]}

  def full(self, params: Any) -> tuple[dict[str, float], dict[str, list]]:
    """All that applies to the corpus and the objective: metrics and items."""
    scorer = self.scorer(params)
    metrics: dict[str, float] = {}
    items: dict[str, list] = {}
    if self._pairs:
      found, items["minimal_pairs"] = evaluate.minimal_pairs(
        scorer, self._pairs
      )
      metrics |= found
    batches = self._dataset.fixed(
      "validation", self._plan.batch_size, limit_rows=LIKELIHOOD_ROWS
    )
    counts = self._dataset.bytes("validation")[:LIKELIHOOD_ROWS]
    metrics |= evaluate.bits_per_byte(scorer, batches, counts)
    corpus = self._dataset.corpus
    for task in TASKS:
      train = passages.passages(corpus, task, "train", PASSAGES, SEED)
      test = passages.passages(corpus, task, "test", PASSAGES, SEED)
      if train and test:
        metrics[f"probe/{task}"] = evaluate.probe(scorer, train, test)
    return metrics, items
