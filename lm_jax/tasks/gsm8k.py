"""GSM8K: word problems, whose answer is a number."""

from __future__ import annotations

import re
from typing import Any

from lm_jax.data.labelled import Form
from lm_jax.tasks import base

_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")


def _split(record: dict[str, Any]) -> dict[str, Any]:
  """The reasoning and the number, of an answer that holds both.

  The calculator's annotations are left out, and the last sentence is that of
  Wei et al. 2022.
  """
  reason, mark, number = str(record.get("answer", "")).rpartition("####")
  if not mark:
    return record
  reason = re.sub(r"<<[^>]*>>", "", reason)
  reason = " ".join(reason.split())
  label = number.strip().replace(",", "")
  told = f"{reason} The answer is {label}."
  return record | {"rationale": told, "label": label}


class Gsm8k(base.LabelledTask):
  """Cobbe et al. 2021; exact match of the number."""

  form = Form(
    fields={"question": ("question",), "rationale": ("rationale",)},
    tfds="gsm8k",
    splits={"train": "train", "test": "test"},
    prepare=_split,
  )

  def normal(self, answer: str) -> str:
    """The first number in it, without commas or zeros at the end."""
    found = _NUMBER.search(answer)
    if not found:
      return super().normal(answer)
    text = found.group().replace(",", "")
    return text.rstrip("0").rstrip(".") if "." in text else text
