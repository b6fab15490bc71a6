"""Measures CoLA in pairs: acceptable against similar unacceptable sentences."""

from __future__ import annotations

from lm_jax.examples import labelled, records, sentence_pairs
from lm_jax.tasks import _pairs, base
from lm_jax.tasks.cola import Cola


class ColaPairs(base.DataTask):
  """Measures accuracy by the model's own score; ties count half.

  CoLA (Warstadt et al. 2019) has no minimal pairs, so they are made from its
  sentences: each unacceptable one is paired with the acceptable one of the same
  split that differs in the fewest words, at most two (words are inserted,
  deleted or replaced); nearest first, none used twice. Both splits with labels
  are read. Pairs of different length favour the shorter sentence, so pairs of
  equal length also have a separate accuracy.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    task = Cola()
    pairs = []
    for split in (labelled.TRAIN, labelled.TEST):
      for two in sentence_pairs.nearest(task.examples(split, self.place)):
        kind = "equal_length" if two.equal_length else "other_length"
        texts = two.good.fields["text"], two.bad.fields["text"]
        pairs.append(_pairs.Pair(f"{split}/{two.bad.id}", *texts, (kind,)))
    if not pairs:
      raise self.error("no two sentences differ in so few words")
    pairs = records.chosen(pairs, self.limit, self.seed)
    return _pairs.measure(scorer, pairs, self.name)
