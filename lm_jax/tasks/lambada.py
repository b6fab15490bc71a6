"""Measures LAMBADA: the last word of a passage."""

from __future__ import annotations

import math

import numpy as np

from lm_jax.data import words as words_lib
from lm_jax.examples import files, records
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base


class Lambada(base.DataTask):
  """Paperno et al. 2016, as lm-evaluation-harness measures it.

  The last word is the text after the last space, or in a script without spaces
  what lm_jax/data/words.py finds; it needs more context than its sentence.
  Accuracy: each of its tokens is the likeliest one. Perplexity: exp
  of the mean of -log p(word), which does not depend on the tokenizer. "cut" is
  the share of passages that do not fit the model and lost their first tokens.
  It is for models with a likelihood only.
  """

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    scorer.require_likelihood(self.name)
    source = records.read(self.place, self.flag, "lambada", "test")
    passages = list(files.made(source, _passage))
    passages = records.chosen(passages, self.limit, self.seed)
    result = scorer.choices([(a, b) for _, a, b in passages])
    right = [float(x) for x in result.greedy]
    metrics = {
      "lambada": float(np.mean(right)),
      "lambada/perplexity": math.exp(-float(result.sums.mean())),
      "lambada/cut": result.cut / len(passages),
      "lambada/items": float(len(passages)),
    }
    predictions = [
      {
        "task": self.name,
        "id": name,
        "score": right[i],
        "before": before,
        "word": word.strip(),
        "log_likelihood": float(result.sums[i]),
      }
      for i, (name, before, word) in enumerate(passages)
    ]
    return base.Measure(metrics, {"lambada": right}, predictions)


def _passage(record: files.Record, name: str) -> tuple[str, str, str]:
  """Returns the name, the text before the last word, and that word."""
  text = records.text(record, "text", "passage").strip()
  before, space, word = text.rpartition(" ")
  if words_lib.unspaced([text]):
    spans = words_lib.spans(text)
    start = spans[-1][0] if spans else 0
    before, space, word = text[:start], "", text[start:]
  if not before:
    raise UsageError("one word, and nothing before it")
  return name, before, space + word
