"""Removes files of killed writers; the next writer does it.

A writer holds a lock on a file until the file has its final name; the system
releases the lock when the process ends in any way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

# A younger file may have been made a moment ago and not be locked yet.
SECONDS = 60.0


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
  """Keeps others from sweeping an existing file or directory.

  It does nothing on a file system without locks, where nothing is swept.
  """
  descriptor = os.open(path, os.O_RDONLY)
  try:
    with contextlib.suppress(OSError):
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  finally:
    os.close(descriptor)


def sweep(paths: Iterable[Path]) -> None:
  """Removes those paths that nobody holds and that are not new.

  A path that can't be removed (another user's, on a read-only disk) stays: it
  is no reason not to write.
  """
  for path in paths:
    with contextlib.suppress(OSError):
      if path.is_symlink() or time.time() - path.stat().st_mtime < SECONDS:
        continue
      descriptor = os.open(path, os.O_RDONLY)
      try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
          shutil.rmtree(path)
        else:
          path.unlink()
      finally:
        os.close(descriptor)
