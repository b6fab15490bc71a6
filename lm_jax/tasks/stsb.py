"""STS-B: how near are two sentences in meaning, from 0 to 5?"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from lm_jax.examples.labelled import Example, Form
from lm_jax.tasks import base

MOST = 5.0
# What stands for an answer that is no number, as in T5's evaluation.
NONE = -1.0
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+")


def _prepare(record: dict[str, Any]) -> dict[str, Any]:
  """With the score as a short text: TFDS has 3.8 as 3.799999952."""
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

  A head of one output learns the score (regress). What has no head writes it,
  rounded to a fifth (Raffel et al. 2020, section 2.1); an answer that is no
  number counts as -1, as there. A score of an example, for tests in pairs, is
  1 - |difference| / 5.
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
      1 - min(abs(number(told) - float(example.label)), MOST) / MOST
      for told, example in zip(predicted, examples, strict=True)
    ]
    return base.Judged(self.measures(predicted, examples), scores)

  def metrics(
    self, predicted: Sequence[Any], right: Sequence[str]
  ) -> dict[str, float]:
    from scipy import stats

    told = [number(answer) for answer in predicted]
    wanted = [float(text) for text in right]
    if min(len(set(told)), len(set(wanted))) < 2:
      # Of what does not vary there is no correlation: nothing was found.
      return {"pearson": 0.0, "spearman": 0.0}
    return {
      "pearson": float(stats.pearsonr(told, wanted).statistic),
      "spearman": float(stats.spearmanr(told, wanted).statistic),
    }

  def written(self, example: Example) -> str:
    return fifths(float(example.label))

  def normal(self, answer: str) -> str:
    """The first number in it, rounded to a fifth."""
    found = _NUMBER.search(answer)
    if not found:
      return super().normal(answer)
    return fifths(float(found.group()))


def fifths(score: float) -> str:
  """A score rounded to a fifth, as text.

  >>> fifths(3.25), fifths(5)
  ('3.2', '5.0')
  """
  return f"{round(score * 5) / 5:.1f}"


def number(answer: Any) -> float:
  """An answer as a number; NONE where it is none."""
  try:
    found = float(answer)
  except (TypeError, ValueError):
    return NONE
  return found if math.isfinite(found) else NONE
