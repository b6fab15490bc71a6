"""A disk that is full or may not be written, named to the user."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator

from lm_jax.support.errors import UsageError

# Of the place, not of the program.
_NUMBERS = frozenset(
  {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
  | {errno.EFBIG}
)


@contextlib.contextmanager
def named(what: str, advice: str = "") -> Iterator[None]:
  """Turns what the disk says into a UsageError; other errors pass.

  Args:
    what: flag and directory that are written to, "--workdir=x".
    advice: is put after the reason.
  """
  try:
    yield
  except UsageError:
    raise
  except Exception as error:
    said = _reason(error)
    if said is None:
      raise
    raise UsageError(f"{what}: can't be written: {said}{advice}") from error


def _reason(error: BaseException | None) -> str | None:
  """What the disk says, or None if it is about something else."""
  while error is not None:
    number = error.errno if isinstance(error, OSError) else None
    # Orbax passes it on in the text of a ValueError.
    found = re.search(r"\[os_error_code='(\d+)'", str(error))
    if number is None and found:
      number = int(found[1])
    if number in _NUMBERS:
      return os.strerror(number)
    error = error.__cause__ or error.__context__
  return None
