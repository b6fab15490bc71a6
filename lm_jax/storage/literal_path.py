"""Makes literal paths for libraries that treat paths as patterns or URLs.

Orbax finds the files that it merges by a pattern under the checkpoint's path:
in a directory named "run[1]" it found none, and in "run*" those of other runs.
Its library of paths takes /gs/... and /s3/... for addresses of cloud storage.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def literal(path: Path) -> Any:
  """Returns an etils.epath path that stands for exactly this directory."""
  from etils import epath

  class Literal(type(epath.Path("/"))):  # type: ignore[misc]
    _uri_scheme = None

    def glob(self, pattern: str) -> Iterator[Any]:
      names = glob.glob(os.path.join(glob.escape(os.fspath(self)), pattern))
      return (type(self)(name) for name in names)

  return Literal(path)
