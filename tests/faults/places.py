"""Folders that fill up, or that nothing can be written to any more."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator


def _call(*command: str | pathlib.Path) -> bool:
  done = subprocess.run(command, capture_output=True, check=False)
  return done.returncode == 0


@contextlib.contextmanager
def small(folder: pathlib.Path, kib: int) -> Iterator[bool]:
  """Makes a folder a file system of that size, if that is permitted."""
  folder.mkdir()
  size = f"size={kib}k"
  mounted = _call("mount", "-t", "tmpfs", "-o", size, "lm_jax", folder)
  try:
    yield mounted
  finally:
    if mounted:
      assert _call("umount", folder), f"{folder} is still in use"


def remount(folder: pathlib.Path, options: str) -> None:
  """Another size, "ro", "rw": of what `small` has made."""
  assert _call("mount", "-o", f"remount,{options}", folder), options


@contextlib.contextmanager
def immutable(*folders: pathlib.Path) -> Iterator[None]:
  """Nothing can be created or removed there, not by root either."""
  is_root = os.geteuid() == 0
  change = ("chattr", "+i", "-i") if is_root else ("chmod", "a-w", "u+w")
  for folder in folders:
    assert _call(change[0], change[1], folder), f"{change} {folder}"
  try:
    yield
  finally:
    for folder in folders:
      _call(change[0], change[2], folder)
