"""Turns the scores of a sentence's tokens into one of the sentence.

x is a sentence, |x| the number of its tokens.

- sum: log P(x), as BLiMP has it (Warstadt et al. 2020).
- mean: log P(x) / |x|, MeanLP of Lau et al. 2020.
- slln: log P(x) / |x|^0.5, sub-linear length normalization, SLLN-LP of
  ZhoBLiMP (Liu et al. 2024, arXiv 2411.06096v2; alpha = 0.5 as in their code),
  for pairs of unequal lengths, where a sum favours the shorter sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

Link = Literal["sum", "mean", "slln"]
LINKS: tuple[str, ...] = get_args(Link)
# The power of |x| that a sum is divided by.
_POWERS = {"sum": 0.0, "mean": 1.0, "slln": 0.5}


def linked(sums: np.ndarray, lengths: Sequence[int], link: str) -> np.ndarray:
  """Links sums of token scores to sentences: float64 [n].

  Args:
    sums: of each sentence, float64 [n].
    lengths: its number of tokens; the special ones around it do not count.
    link: of LINKS.
  """
  if link == "sum":
    return sums
  return sums / np.maximum(np.asarray(lengths), 1) ** _POWERS[link]
