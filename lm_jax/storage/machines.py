"""machine.json: by which versions a run was computed, and on which machine.

No part of what a run is: it goes on under others, which is said, since its bits
may then be others than those of a run that was not stopped.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from absl import logging

from lm_jax.storage.log import write_atomically
from lm_jax.support import machine, strict_json
from lm_jax.support.errors import UsageError, short

FILE = "machine.json"


def read(directory: str | os.PathLike) -> list[dict[str, Any]]:
  """Facts by the step from which on they held; [] of an older run's.

  Raises:
    UsageError: the file is damaged.
  """
  path = Path(directory, FILE)
  if not path.exists():
    return []
  hint = "remove it to go on"
  try:
    entries = strict_json.read(path, f"{path}: damaged")
  except UsageError as error:
    raise UsageError(f"{error}; {hint}") from None
  if not isinstance(entries, list) or not all(map(_is_entry, entries)):
    raise UsageError(f"{path}: damaged: {short(entries)}; {hint}")
  return entries


def use_threads(directory: str | os.PathLike) -> None:
  """Computes as the run there does from its first step on.

  To be called before jax looks for devices; later it changes nothing.

  directory: of the run; "" of one that is not named yet.
  """
  entries = read(directory) if directory else []
  if entries:
    machine.use_threads(entries[0]["threads"])


def note(directory: str | os.PathLike, step: int) -> list[dict[str, Any]]:
  """Keeps what a run goes on by from a step on, and says what has changed.

  Returns:
    all that the file then holds.
  """
  now = machine.facts()
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
