"""Reports a disk that is full or read-only as a mistake of the user."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from lm_jax.support.errors import UsageError, causes

# Errors of the place, not of the program.
_NUMBERS = frozenset(
  {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
  | {errno.EFBIG}
)


@contextlib.contextmanager
def disk_errors_as_usage(what: str, advice: str = "") -> Iterator[None]:
  """Turns errors of the disk into a UsageError; other errors pass.

  Args:
    what: flag and directory being written, such as "--workdir=x".
    advice: appended to the reason.
  """
  try:
    yield
  except UsageError:
    raise
  except Exception as error:
    reason = _reason(error)
    if reason is None:
      raise
    raise UsageError(f"{what}: can't be written: {reason}{advice}") from error


def _reason(error: BaseException) -> str | None:
  """Returns the reason of a disk error; None for other errors."""
  for each in causes(error):
    number = each.errno if isinstance(each, OSError) else None
    # Orbax passes it on in the text of a ValueError.
    match = re.search(r"\[os_error_code='(\d+)'", str(each))
    if number is None and match:
      number = int(match[1])
    if number in _NUMBERS:
      return os.strerror(number)
  return None
