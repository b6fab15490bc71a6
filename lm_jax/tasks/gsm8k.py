"""Measures GSM8K: word problems with a number as answer."""

from __future__ import annotations

import re
from typing import Any

from lm_jax.examples.labelled import Form
from lm_jax.tasks import base

# A full stop begins a number where no word or number ends before it.
_NUMBER = re.compile(
  r"(?P<sign>-?)\$?(?:(?P<whole>[0-9][0-9,]*)(?:\.(?P<part>[0-9]+))?"
  r"|(?<![\w.])\.(?P<only>[0-9]+))"
)


def _split(record: dict[str, Any]) -> dict[str, Any]:
  """Splits an answer into the reasoning and the number.

  The calculator's annotations are left out, and the last sentence is that of
  Wei et al. 2022.
  """
  reason, mark, number = str(record.get("answer", "")).rpartition("####")
  if not mark:
    return record
  reason = re.sub(r"<<[^>]*>>", "", reason)
  reason = " ".join(reason.split())
  label = number.strip().replace(",", "")
  rationale = f"{reason} The answer is {label}."
  return record | {"rationale": rationale, "label": label}


class Gsm8k(base.LabelledTask):
  """Cobbe et al. 2021; exact match of the number."""

  form = Form(
    fields={"question": ("question",), "rationale": ("rationale",)},
    tfds="gsm8k",
    splits={"train": "train", "test": "test"},
    prepare=_split,
  )

  def normal(self, answer: str) -> str:
    """Extracts the first number, without commas, in one spelling.

    >>> [Gsm8k().normal(x) for x in ("-$1,000.50", ".5 km", "3/4")]
    ['-1000.5', '0.5', '3']
    """
    match = _NUMBER.search(answer.replace("\N{MINUS SIGN}", "-"))
    if not match:
      return super().normal(answer)
    whole = (match["whole"] or "").replace(",", "").lstrip("0") or "0"
    part = (match["part"] or match["only"] or "").rstrip("0")
    number = f"{whole}.{part}" if part else whole
    return number if number == "0" else match["sign"] + number
