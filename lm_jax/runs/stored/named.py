"""Finds the entries of an inventory, and of its trash, that names stand for."""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from lm_jax.runs.stored.entry import Entry
from lm_jax.runs.stored.inventory import Inventory, inside
from lm_jax.storage import trash
from lm_jax.storage.trash import Trashed
from lm_jax.support.errors import UsageError


def matches(name: str, pattern: str) -> bool:
  """Returns whether a path matches a glob.

  A pattern with a slash is of the whole path, and none of its parts matches a
  slash; one without is of the last part.

  >>> matches("exp/runs/clm-seed0", "clm*"), matches("a/b", "*/c")
  (True, False)
  """
  parts, wanted = PurePosixPath(name).parts, PurePosixPath(pattern).parts
  if len(wanted) == 1:
    parts = parts[-1:]
  return len(parts) == len(wanted) and all(
    map(fnmatch.fnmatchcase, parts, wanted)
  )


ALL = "*"  # all that is listed, be it nothing


def entries(
  names: Sequence[str],
  inventory: Inventory,
  listed: Sequence[Entry],
  workdir: str,
) -> list[Entry]:
  """Returns the entries that names, paths or globs stand for, each once.

  Args:
    names: paths from here or from the inventory's root; or globs of the names
      of listed entries.
    listed: what the filters leave; a run within an experiment may be named by
      its path all the same.
    workdir: the root as it was given.

  Raises:
    UsageError: one stands for none, and why.
  """
  every = _every(inventory)
  allowed = {one.path for one in listed}
  allowed |= every.keys() - {one.path for one in inventory.entries}
  chosen: dict[Path, Entry] = {}
  for name in names:
    places = _places(name, inventory.root, workdir)
    known = [place for place in places if place in every][:1]
    if known and known[0] in allowed:
      chosen[known[0]] = every[known[0]]
      continue
    globbed = [one for one in listed if matches(one.name, name)]
    if not globbed and name != ALL:
      if set("*?[") & set(name):
        raise UsageError(
          f"{name}: matches nothing that is listed; a glob without a slash is"
          " of the last part of a name"
        )
      place = next(iter((*known, *filter(os.path.lexists, places))), None)
      if place is None and places:
        place = places[0]
      raise UsageError(f"{name}: {_reason(place, inventory, every)}")
    chosen |= {one.path: one for one in globbed}
  return list(chosen.values())


def _every(inventory: Inventory) -> dict[Path, Entry]:
  members = [member for one in inventory.entries for member in one.members]
  return {one.path: one for one in (*members, *inventory.entries)}


def _places(name: str, root: Path, workdir: str) -> list[Path]:
  """Returns where a name may lead, from here or from the root.

  Its last parts may be links, which are not followed.
  """
  if not name or "\0" in name:
    return []
  given = Path(os.path.abspath(workdir))
  here = Path(os.path.abspath(name))
  places = [Path(os.path.normpath(root / name))]
  if inside(here, given):  # runs/mlm, as the shell completes it
    places.insert(0, root / here.relative_to(given))
  return [place for place in places if inside(place, root)]


def _reason(
  place: Path | None, inventory: Inventory, every: dict[Path, Entry]
) -> str:
  """Says why a name stands for nothing."""
  root = inventory.root
  if place is None:
    return f"is not below {root}; --workdir names another directory"
  if place == root:
    return (
      "is the directory that is listed; name what is in it, or list the one"
      " above by --workdir"
    )
  if place in every:
    return "is there, but the filters leave it out"
  if trash.FOLDER in place.relative_to(root).parts:
    return "is in the trash; see --trashed, --restore and --remove"
  parents = [p for p in (*reversed(place.parents), place) if inside(p, root)]
  for path in parents:
    if path != root and path.is_symlink():
      return f"{path} is a link, and links are not followed"
  if not os.path.lexists(place):
    return "nothing that is listed is called so"
  if not place.is_dir():
    return "is a file"
  return "holds no run, experiment or evaluation of lm_jax itself"


def exact(name: str, inventory: Inventory, workdir: str) -> Entry | None:
  """Returns the entry that a path leads to; None if it leads to none."""
  known = _every(inventory)
  places = _places(name, inventory.root, workdir)
  return next((known[place] for place in places if place in known), None)


def origin(item: Trashed, inventory: Inventory) -> str:
  """Returns where something in the trash was, from the inventory's root."""
  return str(item.origin.relative_to(inventory.root))


def trashed(
  names: Sequence[str], items: Sequence[Trashed], inventory: Inventory
) -> tuple[list[Trashed], list[str]]:
  """Returns what names or globs stand for in the trash, and names of nothing.

  A name is that which something has in the trash, or which it had before.
  """
  chosen: dict[Path, Trashed] = {}
  nothing = []
  for name in names:
    matching = [
      item
      for item in items
      if matches(item.path.name, name) or matches(origin(item, inventory), name)
    ]
    same = [
      item
      for item in matching
      if name in (item.path.name, origin(item, inventory))
    ]
    if not matching:
      nothing.append(name)
    chosen |= {item.path: item for item in same or matching}
  return list(chosen.values()), nothing
