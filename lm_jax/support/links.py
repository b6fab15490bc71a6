"""Files of a directory that may come from anybody, and links among them."""

from __future__ import annotations

import pathlib

from lm_jax.support.errors import UsageError


def inside(
  path: pathlib.Path,
  directory: pathlib.Path | None = None,
  where: object = None,
) -> pathlib.Path:
  """Returns `path`, unless a link leads from it out of its directory.

  A model that somebody sent would otherwise have any file of the user's read,
  and copied into what he makes of it. The cache of huggingface_hub keeps its
  files in `blobs` and links to them from snapshots/<revision>: such a link is
  followed.

  Args:
    path: may be missing.
    directory: that it must be in; by default the one that it is named in.
    where: names it in messages, in place of its path.

  Raises:
    UsageError: it leads outside, or its name is none.
  """
  directory = directory or path.parent
  where = where or path
  try:
    home, real = directory.resolve(), path.resolve()
  except (OSError, RuntimeError, ValueError) as error:
    # A name too long, links in a circle.
    reason = getattr(error, "strerror", None) or error
    raise UsageError(f"{where} cannot be read ({reason})") from error
  cached = home.parent.name == "snapshots"
  blob = cached and real.parent == home.parent.parent / "blobs"
  if not blob and not real.is_relative_to(home):
    raise UsageError(
      f"{where} is a link that leads outside; valid is a file in {directory}"
    )
  return path
