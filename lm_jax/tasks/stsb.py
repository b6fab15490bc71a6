"""Measures STS-B: the similarity of two sentences, from 0 to 5."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import base

MOST = 5.0
# Stands for an answer that is no number, as in T5's evaluation.
NONE = -1.0
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """Shortens the score, as text: TFDS has 3.8 as 3.799999952."""
  name = "label" if "label" in record else "score"
  try:
    score = float(record[name])
  except TypeError:
    score = math.nan
  if not 0 <= score <= MOST:
    raise ValueError(f"field {name}={record[name]!r:.20}: must be 0 to 5")
  return record | {name: f"{score:.4g}"}


class Stsb(base.LabelledTask):
  """Cer et al. 2017, of GLUE; Pearson's and Spearman's correlations.

  A head of one output learns the score (regress). A model without head writes
  it, rounded to a fifth (Raffel et al. 2020, section 2.1); an answer that is no
  number counts as -1, as there. For paired tests the score of an example is 1 -
  |difference| / 5.
  """

  objective = "regress"
  primary = "pearson"

  form = Form(
    fields={name: (name,) for name in ("sentence1", "sentence2")},
    label=("label", "score"),
    tfds="glue/stsb",
    prepare=_prepare,
  )

  def judge(
    self, predicted: Sequence[Any], examples: Sequence[Example]
  ) -> base.Judged:
    base.require_equal(predicted, examples, self.name)
    scores = [
      1 - min(abs(number(answer) - float(example.label)), MOST) / MOST
      for answer, example in zip(predicted, examples, strict=True)
    ]
    return base.Judged(self.measures(predicted, examples), scores)

  def metrics(
    self, predicted: Sequence[Any], right: Sequence[str]
  ) -> dict[str, float]:
    from scipy import stats

    scores = [number(answer) for answer in predicted]
    wanted = [float(text) for text in right]
    if min(len(set(scores)), len(set(wanted))) < 2:
      # Constant values have no correlation: nothing was learnt.
      return {"pearson": 0.0, "spearman": 0.0}
    return {
      "pearson": float(stats.pearsonr(scores, wanted).statistic),
      "spearman": float(stats.spearmanr(scores, wanted).statistic),
    }

  def written(self, example: Example) -> str:
    return fifths(float(example.label))

  def normal(self, answer: str) -> str:
    """Rounds the first number in an answer to a fifth."""
    match = _NUMBER.search(answer)
    if not match:
      return super().normal(answer)
    return fifths(float(match.group()))


def fifths(score: float) -> str:
  """Rounds a score to a fifth, as text.

  >>> fifths(3.25), fifths(5)
  ('3.2', '5.0')
  """
  return f"{round(score * 5) / 5:.1f}"


def number(answer: Any) -> float:
  """Parses an answer as a number; NONE if it is none."""
  try:
    value = float(answer)
  except (TypeError, ValueError):
    return NONE
  return value if math.isfinite(value) else NONE
