"""Checks that this process can start the threads that a library waits for."""

from __future__ import annotations

import functools
import threading

from lm_jax.support.errors import UsageError

# array_record starts these when it first opens a file, and if one of them
# can't be started it waits for ever, in C++, where no signal is seen.
_POOL = 64


@functools.cache
def require(count: int = _POOL) -> None:
  """Raises UsageError unless `count` threads can be started; starts them."""
  end = threading.Event()
  started: list[threading.Thread] = []
  try:
    for _ in range(count):
      thread = threading.Thread(target=end.wait, daemon=True)
      thread.start()
      started.append(thread)
  except RuntimeError as error:
    raise UsageError(
      f"takes {count} threads to read, of which this process may start"
      f" {len(started)} ({error}): raise its limit of memory (ulimit -v) or of"
      " processes (ulimit -u, pids.max)"
    ) from error
  finally:
    end.set()
    for thread in started:
      thread.join()
