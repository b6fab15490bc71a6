"""Measures of labels, where an answer may be no label.

Answers may be texts (of an encoder-decoder, or of a prompt). One that is no
label is wrong, and nothing else: it is not one more class of a mean, whatever
it says.
"""

from __future__ import annotations

from collections.abc import Sequence

# In the place of every answer that is no label.
NONE = ""


def known(predicted: Sequence[str], labels: Sequence[str]) -> list[str]:
  """Answers, NONE where one is no label."""
  valid = set(labels)
  return [answer if answer in valid else NONE for answer in predicted]


def macro_f1(
  predicted: Sequence[str], right: Sequence[str], labels: Sequence[str]
) -> float:
  """The mean over the labels of each one's F1."""
  from sklearn.metrics import f1_score

  found = f1_score(
    *(list(right), list(predicted)),
    labels=list(labels),
    average="macro",
    zero_division=0,
  )
  return float(found)


def f1(predicted: Sequence[str], right: Sequence[str], label: str) -> float:
  """F1 of one label."""
  return macro_f1(predicted, right, (label,))


def matthews(
  predicted: Sequence[str], right: Sequence[str], labels: Sequence[str]
) -> float:
  """The correlation of Matthews 1975, by Gorodkin 2004.

  Answers that are no label are one column of the confusion matrix, that of
  no right answer, as in T5's evaluation.
  """
  from sklearn.metrics import matthews_corrcoef

  return float(matthews_corrcoef(list(right), known(predicted, labels)))
