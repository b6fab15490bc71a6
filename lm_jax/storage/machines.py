"""Records software versions and machine of a run in machine.json.

They are no part of a run's identity: a run continues under others, with a
warning, since its bits may then differ from those of an uninterrupted run.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from absl import logging

from lm_jax.storage.log import write_atomically
from lm_jax.support import machine, strict_json
from lm_jax.support.errors import UsageError, advising, short

FILE = "machine.json"


def read(directory: str | os.PathLike) -> list[dict[str, Any]]:
  """Reads the entries, each with its first step; [] for an older run."""
  path = Path(directory, FILE)
  if not path.exists():
    return []
  with advising("remove it to go on"):
    entries = strict_json.read(path, f"{path}: damaged")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
      raise UsageError(f"{path}: damaged: {short(entries)}")
  return entries


def use_threads(directory: str | os.PathLike) -> None:
  """Uses the number of threads of the first step of a run.

  Call it before jax looks for devices; later it has no effect.

  directory: of the run; "" if it has no name yet.
  """
  entries = read(directory) if directory else []
  if entries:
    machine.use_threads(entries[0]["threads"])


def note(
  directory: str | os.PathLike, step: int, together: int = 1
) -> list[dict[str, Any]]:
  """Adds an entry from a step on, if anything has changed, with a warning.

  Args:
    directory: of the run.
    step: the first one that it takes now.
    together: how many runs take their steps as one, this one among them.

  Returns:
    All entries of the file.
  """
  now = machine.facts()
  if together > 1:
    now["together"] = together
  there = read(directory)
  kept = [entry for entry in there if entry["step"] < step]
  before = {k: v for k, v in (kept or [now])[-1].items() if k != "step"}
  if kept and before == now:
    return kept
  changed = [
    f"{name}: {before.get(name)} -> {now.get(name)}"
    for name in {**before, **now}
    if before.get(name) != now.get(name)
  ]
  if changed:
    logging.warning(
      "--workdir=%s: goes on from step %d by others (%s): its bits may not be"
      " those of a run that was not stopped",
      directory,
      step,
      "; ".join(changed),
    )
  entries = [*kept, {"step": step, **now}]
  write_atomically(Path(directory, FILE), json.dumps(entries, indent=2) + "\n")
  return entries


def _is_entry(entry: Any) -> bool:
  return (
    isinstance(entry, dict)
    and type(entry.get("step")) is int
    and type(entry.get("threads")) is int
    and 0 < entry["threads"] <= machine.MOST_THREADS
  )
