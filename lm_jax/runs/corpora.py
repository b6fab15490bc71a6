"""Reads the data of runs before any of them starts."""

from __future__ import annotations

from collections.abc import Iterable

from lm_jax.config import Config
from lm_jax.data import rows


def require(configs: Iterable[Config]) -> None:
  """Raises UsageError if the data of a run can't be read here.

  Each corpus is read once, and what is prepared of it is kept in the cache. A
  wrong path would else fail one run after another, each on record.
  """
  for data, length in dict.fromkeys((c.data, c.length) for c in configs):
    rows.load(data, length)
