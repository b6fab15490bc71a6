"""The C library's allocator, told to keep what a training step gives back."""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any

# glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX, _ARENA_MAX = (
  *(-1, -2, -3, -4),
  -8,
)
# What glibc does of itself, but for the threshold, the largest it takes.
_USUAL = (
  (_MMAP_MAX, 65_536),
  (_MMAP_THRESHOLD, 32 << 20),
  (_TRIM_THRESHOLD, 128 << 10),
  (_TOP_PAD, 0),
)

# The heap grows by this much at a time, in bytes.
_GROWTH = 256 << 20


def keep_freed_memory() -> bool:
  """Keeps freed memory in the process, in one arena; no-op without glibc.

  XLA's CPU backend frees a step's buffers after each step. By default glibc
  returns such large blocks to the kernel, which zeroes them anew for the next
  step: a tenth of the time of a step of 6 layers x 384. The price is a heap
  that holds its gaps: 2.9 GB instead of 1.9 in that case; `Watch` gives up
  where they come to more. To be called before jax starts its threads.

  Returns:
    Whether the allocator took the options.
  """
  options = (
    (_MMAP_MAX, 0),
    (_TRIM_THRESHOLD, -1),
    (_TOP_PAD, _GROWTH),
    (_ARENA_MAX, 1),
  )
  return _set(options)


def _library() -> Any:
  """The C library; None where it is not glibc."""
  if not sys.platform.startswith("linux"):
    return None
  library = ctypes.CDLL(None)
  return library if hasattr(library, "mallopt") else None  # musl has none


def _set(options: tuple[tuple[int, int], ...]) -> bool:
  library = _library()
  if library is None:
    return False
  taken = [library.mallopt(name, value) == 1 for name, value in options]
  return all(taken)


class Watch:
  """Ends `keep_freed_memory` where steps leave gaps that the next can't use.

  What lives on from a step may lie in the middle of what it gave back; then
  the next step's buffer fits nowhere, and the heap grows by it at each step.
  """

  # Bytes that may come on top of half as much again as after the first step.
  spare = 512 << 20

  def __init__(self) -> None:
    self._first = 0
    self._over = _library() is None

  def look(self) -> None:
    """After each step: some microseconds."""
    if self._over:
      return
    held = _resident()
    if not self._first:
      self._first = held
    elif held > 1.5 * self._first + self.spare:
      self._over = True
      _set(_USUAL)
      _library().malloc_trim(0)


def _resident() -> int:
  """Bytes of this process that are in memory."""
  with open("/proc/self/statm", "rb") as file:
    return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
