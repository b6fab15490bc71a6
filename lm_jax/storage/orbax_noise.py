"""Silences what orbax logs about a failed read or save that it also raises.

Orbax logs a traceback for every thread; tensorstore logs one for every file
that was still being read or written when the first failure had ended the event
loop.
"""

from __future__ import annotations

import asyncio.base_events
import logging
import sys


class _Once(logging.Filter):
  """Drops log records of errors that are raised as well."""

  def filter(self, record: logging.LogRecord) -> bool:
    if record.name == "asyncio":
      return "OCDBT" not in record.getMessage()
    return not (record.exc_info and "/orbax/" in record.pathname)


_ONCE = _Once()
_before = sys.unraisablehook


def drop() -> None:
  """Drops these messages from now on; it may be called again."""
  global _before
  for name in ("absl", "asyncio"):
    logging.getLogger(name).addFilter(_ONCE)
  if sys.unraisablehook is not _hook:
    _before, sys.unraisablehook = sys.unraisablehook, _hook


def _hook(unraisable: sys.UnraisableHookArgs) -> None:
  trace = unraisable.exc_traceback
  # Called from C++: no Python code is in between.
  outermost = trace.tb_frame.f_code.co_filename if trace else ""
  late = unraisable.exc_type is RuntimeError and unraisable.object is None
  if not late or outermost != asyncio.base_events.__file__:
    _before(unraisable)
