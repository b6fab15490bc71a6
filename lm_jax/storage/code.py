"""Finds the git commit of the code that makes a run."""

from __future__ import annotations

import functools
import pathlib
import subprocess


@functools.cache
def commit() -> str:
  """Returns the git commit of lm_jax, followed by "+" if files have changed.

  It is "" if unknown: installed as a package, without git, or in a repository
  that git does not trust.
  """
  folder = pathlib.Path(__file__).resolve().parents[1]
  if not (folder.parent / ".git").exists():
    return ""  # Not of the repository that a virtual environment stands in.
  head = _git(folder, "rev-parse", "--verify", "HEAD")
  changed = _git(folder, "status", "--porcelain", "--untracked-files=no", ".")
  return head and f"{head}{'+' if changed else ''}"


def _git(folder: pathlib.Path, *words: str) -> str:
  try:
    done = subprocess.run(
      ["git", "-C", str(folder), *words],
      capture_output=True,
      encoding="utf-8",
      errors="replace",
      timeout=10,
      check=True,
    )
  except (OSError, subprocess.SubprocessError):
    return ""
  return done.stdout.strip()
