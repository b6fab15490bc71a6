"""Measures labels, where an answer may be no label.

Answers may be texts (of an encoder-decoder, or of a prompt). One that is no
label is wrong, but is not counted as another class in a mean.
"""

from __future__ import annotations

from collections.abc import Sequence

# Fields of tasks of entailment, and their names in GLUE.
ENTAILMENT = {
  "premise": ("premise", "sentence1"),
  "hypothesis": ("hypothesis", "sentence2"),
}
# Stands for every answer that is no label.
NONE = ""


def known(predicted: Sequence[str], labels: Sequence[str]) -> list[str]:
  """Replaces answers that are no label by NONE."""
  valid = set(labels)
  return [answer if answer in valid else NONE for answer in predicted]


def macro_f1(
  predicted: Sequence[str], right: Sequence[str], labels: Sequence[str]
) -> float:
  """Computes the mean of the F1 of each label."""
  from sklearn.metrics import f1_score

  score = f1_score(
    *(list(right), list(predicted)),
    labels=list(labels),
    average="macro",
    zero_division=0,
  )
  return float(score)


def f1(predicted: Sequence[str], right: Sequence[str], label: str) -> float:
  """Computes the F1 of one label."""
  return macro_f1(predicted, right, (label,))


def matthews(
  predicted: Sequence[str], right: Sequence[str], labels: Sequence[str]
) -> float:
  """Computes Matthews' correlation (1975; several classes: Gorodkin 2004).

  Answers that are no label form one extra column of the confusion matrix, as in
  T5's evaluation.
  """
  from sklearn.metrics import matthews_corrcoef

  return float(matthews_corrcoef(list(right), known(predicted, labels)))
