"""Shares code of tasks about programs: extracts and compares them."""

from __future__ import annotations

import math
import re

import numpy as np

# Chen et al. 2021, section 2.1: texts that end a function.
STOPS = ("\nclass", "\ndef", "\n#", "\nif", "\nprint")


def pass_at_k(n: int, c: int, k: int) -> float:
  """Computes 1 - C(n - c, k) / C(n, k): c of n texts are right, k are tried.

  >>> pass_at_k(5, 1, 1), pass_at_k(5, 1, 5)
  (0.19999999999999996, 1.0)
  """
  return 1.0 - math.comb(n - c, k) / math.comb(n, k)


def cut(text: str) -> str:
  """Cuts a generated text at the end of the function.

  >>> cut("  return 1\\n\\ndef other():")
  '  return 1\\n'
  """
  ends = [text.find(stop) for stop in STOPS if stop in text]
  return text[: min(ends, default=len(text))]


def program(problem: dict[str, str], text: str) -> str:
  """Joins the function, its test and a call of the test."""
  call = f"check({problem['entry_point']})"
  return f"{problem['prompt']}{text}\n{problem['test']}\n{call}\n"


def bare(line: str) -> str:
  """Removes white space, which tokenizers may not preserve."""
  return re.sub(r"\s+", "", line)


def similarity(one: str, other: str) -> float:
  """Computes 1 - Levenshtein distance / the longer length.

  >>> similarity("abc", "abd"), similarity("", "")
  (0.6666666666666667, 1.0)
  """
  above = np.arange(len(other) + 1)
  letters = np.array([ord(sign) for sign in other], np.int64)
  steps = np.arange(len(other) + 1)
  for i, sign in enumerate(one, start=1):
    change = np.minimum(above[1:] + 1, above[:-1] + (letters != ord(sign)))
    row = np.concatenate([[i], change])
    # Insertions: the minimum over all places to the left plus their distance.
    above = np.minimum.accumulate(row - steps) + steps
  return 1.0 - float(above[-1]) / max(len(one), len(other), 1)
