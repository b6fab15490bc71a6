"""Biases of sequences of ids, and what is said of values out of range."""

from __future__ import annotations

import math
from typing import Any


class OutOfRange(Exception):
  """An option's value that can't be; `text` is said of it."""

  def __init__(self, name: str, value: Any, why: str):
    super().__init__(name)
    self.name = name
    self.text = f"{name}={value}: {why}"


def bias(text: str) -> tuple[tuple[int, ...], float]:
  """Ids and what is added, of "5,6:-2.5".

  >>> bias("5,6:-2.5")
  ((5, 6), -2.5)
  """
  ids, _, more = text.rpartition(":")
  try:
    pair = tuple(map(int, ids.split(","))), float(more)
  except ValueError:
    raise OutOfRange(
      "sequence_bias", text, "must be ids and a number, as in 5,6:-2.5"
    ) from None
  if min(pair[0]) < 0 or not math.isfinite(pair[1]):
    raise OutOfRange("sequence_bias", text, "must be ids and a finite number")
  return pair
