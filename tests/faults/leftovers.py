"""What a dead process might leave behind: processes and shared memory."""

from __future__ import annotations

import os
import pathlib
import time

_SHM = pathlib.Path("/dev/shm")


def session(pid: int) -> list[int]:
  """The processes of a session that are alive, its leader's pid given."""
  found = []
  for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
    try:
      # After the name, which may hold anything: state, parent, group, session.
      state, _, _, number = path.read_text().rpartition(")")[2].split()[:4]
    except (FileNotFoundError, ProcessLookupError):
      continue
    if int(number) == pid and state not in "ZX":
      found.append(int(path.parent.name))
  return found


def command(pid: int) -> str:
  """The command line of a process, "" where it is gone."""
  try:
    data = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
  except (FileNotFoundError, ProcessLookupError):
    return ""
  return data.replace(b"\0", b" ").decode(errors="replace")


def readers(pid: int) -> list[int]:
  """The reader processes of a session."""
  found = session(pid)
  return sorted(p for p in found if "lm_jax.data.readers" in command(p))


def shared_memory() -> set[str]:
  """The names in /dev/shm."""
  return {path.name for path in _SHM.iterdir()} if _SHM.is_dir() else set()


def leaked(before: set[str]) -> set[str]:
  """What is new in /dev/shm and open in no process (another may be at work)."""
  new = shared_memory() - before
  for link in pathlib.Path("/proc").glob("[0-9]*/map_files/*"):
    if not new:
      break
    try:
      new.discard(pathlib.Path(os.readlink(link)).name)
    except OSError:
      continue
  return new


def gone(pid: int, before: set[str], seconds: float = 5) -> None:
  """Raises AssertionError unless a session leaves nothing within 5 s."""
  deadline = time.monotonic() + seconds
  while left := session(pid):
    assert time.monotonic() < deadline, (
      f"after {seconds} s there is still "
      + "; ".join(f"{p}: {command(p)[-60:]}" for p in left)
    )
    time.sleep(0.02)
  left_over = leaked(before)
  assert not left_over, f"left in /dev/shm: {left_over}"
