"""Makes the C library's allocator keep the memory that a step frees."""

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
# glibc's defaults, except the threshold, which is the largest it takes.
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
  where they come to more. Call it before jax starts its threads.

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
  """Returns the C library; None if it is not glibc."""
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
  """Undoes `keep_freed_memory` where steps leave gaps of no use to the next.

  Memory that a step keeps may lie in the middle of what it freed; then the next
  step's buffer fits nowhere, and the heap grows by it at each step.
  """

  # Bytes allowed above 1.5 times the memory after the first step.
  spare = 512 << 20

  def __init__(self) -> None:
    self._first = 0
    self._over = _library() is None

  def look(self) -> None:
    """Checks the memory after a step; takes some microseconds."""
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
  """Returns the resident memory of this process in bytes."""
  with open("/proc/self/statm", "rb") as file:
    return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
