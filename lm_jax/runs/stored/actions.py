"""Carries out what `launch.py runs` is asked for, and prints what is done."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from lm_jax.runs.stored import inventory, named, upkeep
from lm_jax.runs.stored.entry import Entry
from lm_jax.runs.stored.inventory import Inventory
from lm_jax.runs.stored.listing import show_size
from lm_jax.storage import freeing, lock, trash
from lm_jax.storage.trash import Trashed
from lm_jax.support.errors import UsageError
from lm_jax.support.printable import escaped


class Consent(NamedTuple):
  """Leave to delete something, and the wish to be told only."""

  yes: bool
  dry_run: bool


def in_trash(known: Inventory) -> list[Trashed]:
  """Returns what is in the trash of an inventory's directories."""
  return [item for folder in known.trashes for item in trash.items(folder)]


def move(
  known: Inventory, entries: Sequence[Entry], force: bool, dry_run: bool
) -> None:
  """Moves entries into the trash, and says where each is."""
  going = upkeep.outermost(entries)
  if not going:
    print("nothing to move")
  with upkeep.checked(known, going, force) as uses:
    for one in going:
      size = show_size(uses[one.path].size)
      if dry_run:
        print(f"would move {escaped(one.name)} ({one.kind}, {size})")
        continue
      item = upkeep.to_trash(one)
      print(
        f"moved {escaped(one.name)} ({one.kind}, {size}) to"
        f" {escaped(str(item.path.relative_to(known.root)))}"
      )


def restore(known: Inventory, names: Sequence[str], dry_run: bool) -> None:
  """Moves directories back from the trash.

  Raises:
    UsageError: a name of nothing, or its place is taken; nothing is moved.
  """
  items, nothing = named.trashed(names, in_trash(known), known)
  for name in nothing:
    raise UsageError(
      f"--restore={name}: nothing in the trash is called so; --trashed lists it"
    )
  origins = [item.origin for item in items]
  for item in items:
    if origins.count(item.origin) > 1:
      raise UsageError(
        f"--restore={named.origin(item, known)}: is in the trash more than"
        f" once; name one, as {item.path.name}"
      )
    if os.path.lexists(item.origin):
      raise UsageError(
        f"--restore={item.path.name}: {item.origin} is there by now; rename or"
        " move that first"
      )
  for item in items:
    name = escaped(named.origin(item, known))
    if dry_run:
      print(f"would move {escaped(item.path.name)} back to {name}")
      continue
    trash.restore(item)
    print(f"moved {escaped(item.path.name)} back to {name}")


def remove(
  known: Inventory,
  items: Sequence[Trashed],
  names: Sequence[str],
  workdir: str,
  consent: Consent,
  force: bool,
) -> None:
  """Deletes what is in the trash, or what is named of it or of the list.

  Args:
    items: what may go of the trash.
    names: in the trash, or paths from here or from the inventory's root.
    workdir: that root, as it was given.

  Raises:
    UsageError: a name of nothing or of two, or no consent.
  """
  live: list[Entry] = []
  if names:
    items, nothing = named.trashed(names, items, known)
    for name in names:
      one = named.exact(name, known, workdir)
      if one is None and name in nothing:
        raise UsageError(
          f"{name}: is neither in the trash nor the path of what is listed;"
          " globs are of the trash only"
        )
      if one is not None and name not in nothing:
        raise UsageError(
          f"{name}: is there, and in the trash as well; give the path of the"
          f" one, {workdir}/{one.name}, or the other's name as --trashed has it"
        )
      live += [one] if one is not None else []
  going = upkeep.outermost(live)
  with upkeep.checked(known, going, force) as uses:
    sizes = [inventory.use_of(item.path).size for item in items]
    lines = [
      f"{escaped(str(item.path.relative_to(known.root)))} ({show_size(size)})"
      for item, size in zip(items, sizes, strict=True)
    ]
    for one in going:
      sizes.append(uses[one.path].size)
      lines.append(f"{escaped(one.name)} ({one.kind}, {show_size(sizes[-1])})")
    count = "1 directory" if len(lines) == 1 else f"{len(lines)} directories"
    total = f"{count}, {show_size(sum(sizes))}"
    if not _agreed(consent, lines, total):
      return
    for folder in known.trashes:
      trash.delete_halves(folder)
    for item, line in zip(items, lines, strict=False):
      trash.delete(item)
      print(f"deleted {line}")
    for one, line in zip(going, lines[len(items) :], strict=True):
      trash.delete(upkeep.to_trash(one))
      print(f"deleted {line}")


def _agreed(consent: Consent, lines: Sequence[str], total: str) -> bool:
  """Says what would be deleted, unless it is to be; whether it is.

  Raises UsageError where it is asked for without --yes.
  """
  if consent.yes and not consent.dry_run:
    if not lines:
      print("nothing to delete")
    return True
  for line in lines:
    print(f"would delete {line}")
  if consent.dry_run or not lines:
    print(f"would delete {total}" if lines else "nothing to delete")
    return False
  sys.stdout.flush()
  raise UsageError(f"{total}: nothing is deleted without --yes")


def free(entries: Sequence[Entry], consent: Consent) -> None:
  """Deletes checkpoints of runs that are finished, but for the last ones.

  Raises:
    UsageError: no consent, or a run is in use.
  """
  runs = upkeep.runs_of(entries)
  with contextlib.ExitStack() as stack:
    parts = []
    for run in runs:
      if not upkeep.is_finished(run):
        print(f"{escaped(run.name)}: is {run.status}, so that all stay")
        continue
      stack.enter_context(lock.keep_out(run.path))
      parts += upkeep.checkpoints_of(run)
    lines = [
      f"{escaped(part.name)}: {part.text} ({show_size(part.size)})"
      for part in parts
    ]
    size = show_size(sum(part.size for part in parts))
    if _agreed(consent, lines, f"checkpoints of {len(parts)} runs, {size}"):
      for part, line in zip(parts, lines, strict=True):
        freeing.free(part.plan)
        print(f"deleted {line}")
