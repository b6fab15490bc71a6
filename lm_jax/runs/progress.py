"""Tells how the runs of an experiment go: lines, and on a terminal a bar."""

from __future__ import annotations

import contextlib
import sys
import time

from tqdm import tqdm

from lm_jax.runs.attempt import Outcome
from lm_jax.training.progress import duration


class Progress(contextlib.AbstractContextManager):
  """Lines about runs that end, with the time left, on stderr.

  Args:
    total: number of runs.
    shown: whether to say anything.
    parallel: how many run at a time.
  """

  def __init__(self, total: int, shown: bool, parallel: int = 1):
    self._total, self._shown, self._parallel = total, shown, parallel
    self._ended = 0
    self._begin = time.monotonic()
    # Off a terminal the bar is silent (None); `smoothing=0`: runs are as long
    # as one another, so their mean tells most about what is left.
    self._bar = tqdm(
      total=total,
      unit="run",
      desc="experiment",
      smoothing=0,
      disable=None if shown else True,
    )

  def __exit__(self, *_: object) -> None:
    self._bar.close()

  def say(self, line: str) -> None:
    """Writes a line."""
    if self._shown:
      tqdm.write(line, file=sys.stderr)

  def ended(self, name: str, outcome: Outcome, seconds: float) -> None:
    """Tells how a run ended, and after how many seconds."""
    self._ended += 1
    error = f" ({outcome.error})" if outcome.error else ""
    line = f"[{self._ended}/{self._total}] {name}: {outcome.status}{error}"
    line += f" after {duration(seconds)}"
    left = self._total - self._ended
    if left:
      each = (time.monotonic() - self._begin) / self._ended
      line += f"; about {duration(each * left)} left"
    self.say(line)
    self._bar.update()
