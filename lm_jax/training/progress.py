"""Shows the progress of a run: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

from tqdm import tqdm

# A line is written for a logged step after this share of the budget, or this
# many seconds, whichever comes first: logs stay short.
SHARE, SECONDS = 0.02, 30


class Progress:
  """Reports the progress of a run on standard error.

  Args:
    title: of the run, before each line.
    shown: whether to write anything.
  """

  def __init__(self, title: str, shown: bool = True):
    self.title = title
    self.on_terminal = shown and sys.stderr.isatty()
    self._lines = shown and not self.on_terminal
    self._bar: tqdm | None = None
    self.begin(0.0, {})

  @contextlib.contextmanager
  def bar(self) -> Iterator[None]:
    """Shows a bar within the context, on a terminal."""
    with tqdm(
      total=100,
      desc=self.title,
      unit="%",
      file=sys.stderr,
      leave=False,
      bar_format=(
        "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
      ),
      disable=not self.on_terminal,
    ) as self._bar:
      yield
    self._bar = None

  def say(self, text: str) -> None:
    """Writes a line, off a terminal, about anything besides the steps."""
    if self._lines:
      sys.stderr.write(f"{self.title}: {text}\n")
      sys.stderr.flush()

  def begin(self, share: float, spent: Mapping[str, float]) -> None:
    """Starts the clock.

    Args:
      share: the spent share of the budget.
      spent: a ledger's numbers by name.
    """
    self._start = self._written = (time.monotonic(), share)
    self._before = (spent.get("tokens", 0), spent.get("seconds", 0.0))

  def move(self, percent: int) -> None:
    """Moves the bar."""
    if self._bar is not None:
      self._bar.update(max(0, percent - self._bar.n))

  def log(
    self,
    share: float,
    spent: Mapping[str, float],
    values: Mapping[str, float],
  ) -> None:
    """Shows the numbers of a logged step, or of an evaluation.

    Args:
      share: the share of the budget spent then.
      spent: a ledger's numbers by name, and "skipped" if it is known.
      values: those of a step include "loss".
    """
    head = f"step {spent['steps']:,}, {100 * min(share, 1):.1f} %"
    if "loss" not in values:
      named = (f"{name} {value:.4g}" for name, value in values.items())
      self.say(f"{head}: {', '.join(named)}")
      return
    now = time.monotonic()
    then, before = self._written
    if share < min(1, before + SHARE) and now < then + SECONDS:
      return
    self._written = now, share
    parts = [f"loss {values['loss']:.3f}", *self._rate(spent)]
    if spent.get("skipped"):
      parts.append(f"{spent['skipped']:,} updates skipped")
    if self._bar is not None:
      self._bar.set_postfix_str(", ".join(parts))
    parts += self._left(now, share)
    self.say(f"{head}: {', '.join(parts)}")

  def _rate(self, spent: Mapping[str, float]) -> list[str]:
    """Tokens per second of training since the last line."""
    tokens, seconds = self._before
    self._before = spent["tokens"], spent["seconds"]
    passed = spent["seconds"] - seconds
    if passed <= 0:
      return []
    return [f"{(spent['tokens'] - tokens) / passed:,.0f} tokens/s"]

  def _left(self, now: float, share: float) -> list[str]:
    """Time until the budget is spent, with evaluations."""
    start, before = self._start
    if not before < share < 1:
      return []
    rest = (now - start) / (share - before) * (1 - share)
    return [f"{duration(rest)} left"]


def duration(seconds: float) -> str:
  """Formats a duration for people: "41 s", "12 min", "3.5 h"."""
  if seconds < 100:
    return f"{seconds:.0f} s"
  if seconds < 6000:
    return f"{seconds / 60:.0f} min"
  return f"{seconds / 3600:.1f} h"
