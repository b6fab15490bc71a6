"""What writers that were killed have left; the next writer removes it.

A writer holds a lock on what it makes until that has its name; the system
takes the lock from a process that ends in whatever way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

# What is younger may have been made a moment ago and not be locked yet.
SECONDS = 60.0


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
  """Keeps others from sweeping a file or directory, which is there.

  Does nothing on a file system without locks, where nothing is swept.
  """
  descriptor = os.open(path, os.O_RDONLY)
  try:
    with contextlib.suppress(OSError):
      fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield
  finally:
    os.close(descriptor)


def sweep(paths: Iterable[Path]) -> None:
  """Removes those that nobody holds and that are not new.

  What can't be removed (another user's, a disk that is only read) stays: it
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
