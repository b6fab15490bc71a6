"""Lists runs and experiments; moves them to a trash, and deletes them."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import time
from collections.abc import Sequence
from typing import Literal

from lm_jax.runs.stored import actions, entry, inventory, listing, named, upkeep
from lm_jax.runs.stored.inventory import Inventory
from lm_jax.runs.stored.listing import Row, show_size
from lm_jax.storage.trash import Trashed
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import names_given, option
from lm_jax.support.printable import escaped

_ACTIONS = ("trash", "restore", "remove", "checkpoints")
# What some flags are for: actions, "trashed", or "" for the list.
_FITS = {
  "yes": ("remove", "checkpoints"),
  "force": ("trash", "remove"),
  "dry_run": _ACTIONS,
  "format": ("", "trashed"),
  "trashed": ("trashed",),
  **dict.fromkeys(
    ("older",), ("", "trashed", "trash", "checkpoints", "remove")
  ),
  **dict.fromkeys(
    ("kind", "status", "objective", "name", "larger", "sort", "members"),
    ("", "trash", "checkpoints"),
  ),
}


@dataclasses.dataclass(frozen=True)
class Flags:
  """The runs that are listed, and what becomes of them."""

  names: tuple[str, ...] = option(
    (),
    "those that are listed, moved or deleted, also without --names=: their"
    " paths, or globs of what is listed ('clm*')",
    repeat=True,
  )
  workdir: str = option("runs", "the directory below which they are")
  kind: tuple[str, ...] = option(
    (), f"only of these kinds: {', '.join(entry.KINDS)}"
  )
  status: tuple[str, ...] = option(
    (), f"only with this status: {', '.join(entry.STATUSES)}"
  )
  objective: tuple[str, ...] = option((), "only with one of these objectives")
  name: tuple[str, ...] = option(
    (), "only those whose name matches a glob", repeat=True
  )
  older: str = option("", "only those unchanged for so long: 30d, 12h, 2w")
  larger: str = option("", "only those that take more on disk: 1GB, 500MiB")
  sort: Literal["date", "size", "name"] = option(
    "date", "the last changed, or the largest, first; or by name"
  )
  format: Literal["text", "json", "csv"] = option("text", "of the list")
  members: bool = option(
    False, "list the runs of experiments and protocols, too"
  )
  trashed: bool = option(False, "list what is in the trash instead")
  trash: bool = option(
    False, "move the named ones into the trash, .trash/ beside each"
  )
  restore: tuple[str, ...] = option(
    (), "the name of what is moved back from the trash", repeat=True
  )
  remove: bool = option(
    False,
    "delete what is in the trash, or of it or of the list what is named; it is"
    " only shown without --yes",
  )
  checkpoints: bool = option(
    False,
    "delete the checkpoints of named runs that are finished, but for the last"
    " one (and of fine-tuning the best one); they are only shown without --yes",
  )
  yes: bool = option(False, "delete what --remove or --checkpoints shows")
  force: bool = option(
    False, "also what others need, or what holds others that are no part of it"
  )
  dry_run: bool = option(False, "only say what would be done")
  given: frozenset[str] = names_given()


WORD = "names"


def main(flags: Flags) -> int:
  """Lists, moves or deletes; returns the exit code."""
  action = _action(flags)
  root = pathlib.Path(flags.workdir)
  if not root.is_dir():
    raise UsageError(
      f"--workdir={flags.workdir}: is no directory; nothing was run there"
    )
  known = inventory.search(root)
  consent = actions.Consent(flags.yes, flags.dry_run)
  if action == "restore":
    actions.restore(known, flags.restore, flags.dry_run)
  elif action == "remove":
    items, names = _items(flags, known), flags.names
    actions.remove(known, items, names, flags.workdir, consent, flags.force)
  elif action == "trashed":
    _list_trash(flags, known)
  else:
    rows = _chosen(flags, known)
    entries = [row.entry for row in rows]
    if action == "trash":
      actions.move(known, entries, flags.force, flags.dry_run)
    elif action == "checkpoints":
      actions.free(entries, consent)
    else:
      _list(flags, known, rows)
  return 0


def _action(flags: Flags) -> str:
  """Returns what to do, "" to list; UsageError where flags contradict."""
  asked = [name for name in _ACTIONS if getattr(flags, name)]
  if len(asked) > 1:
    raise UsageError(f"--{asked[0]} and --{asked[1]}: give one of the two")
  action = asked[0] if asked else "trashed" if flags.trashed else ""
  for flag, known in _FITS.items():
    if flag in flags.given and action not in known:
      names = ", ".join(f"--{name}" for name in known if name)
      raise UsageError(
        f"--{flag}: is for {names or 'the list'}"
        + (f", and not for --{action}" if action else "")
      )
  if action in ("trash", "checkpoints") and not flags.names:
    raise UsageError(
      f"--{action}: needs names, paths or globs; '*' is all that is listed"
    )
  if action == "restore" and flags.names:
    raise UsageError(f"{flags.names[0]}: give --restore={flags.names[0]}")
  for flag, values, valid in (
    ("kind", flags.kind, entry.KINDS),
    ("status", _statuses(flags), entry.STATUSES),
  ):
    for value in values:
      if value not in valid:
        raise registry.unknown(f"--{flag}", value, valid)
  return action


def _statuses(flags: Flags) -> list[str]:
  return [status.replace("_", " ") for status in flags.status]


def _chosen(flags: Flags, known: Inventory) -> list[Row]:
  """Returns what the filters leave, and of it what is named, in order."""
  entries = list(known.entries)
  if flags.members:
    own = {one.path for one in entries}
    members = (member for one in entries for member in one.members)
    entries += [member for member in members if member.path not in own]
  objectives, statuses = set(flags.objective), _statuses(flags)
  entries = [
    one
    for one in entries
    if (not flags.kind or one.kind in flags.kind)
    and (not statuses or one.status in statuses)
    and (not objectives or objectives & set(one.objectives))
    and (not flags.name or any(named.matches(one.name, g) for g in flags.name))
  ]
  rows = listing.rows_of(entries)
  if flags.older:
    before = time.time() - listing.parse_age(flags.older, "older")
    rows = [row for row in rows if row.use.changed <= before]
  if flags.larger:
    least = listing.parse_size(flags.larger, "larger")
    rows = [row for row in rows if row.use.size > least]
  if flags.names:
    listed = [row.entry for row in rows]
    by_path = {row.entry.path: row for row in rows}
    rows = [
      by_path.get(one.path) or listing.rows_of([one])[0]
      for one in named.entries(flags.names, known, listed, flags.workdir)
    ]
  return listing.in_order(rows, flags.sort)


def _list(flags: Flags, known: Inventory, rows: Sequence[Row]) -> None:
  objects = [row.as_object() for row in rows]
  if _print_objects(flags, listing.FIELDS, objects):
    return
  if rows:
    print(listing.table(listing.HEAD, [row.cells() for row in rows]))
  entries = [row.entry for row in rows]
  outer = {one.path for one in upkeep.outermost(entries)}
  size = sum(row.use.size for row in rows if row.entry.path in outer)
  hidden = len(known.entries) - sum(one in known.entries for one in entries)
  left_out = f", {hidden} left out" if hidden else ""
  print(f"{len(rows)} listed, {show_size(size)}{left_out}")
  items = actions.in_trash(known)
  if items:
    size = sum(inventory.use_of(item.path).size for item in items)
    print(f"in the trash: {len(items)}, {show_size(size)} (--trashed)")
  if known.links:
    links = ", ".join(map(escaped, known.links[:5]))
    more = f" and {len(known.links) - 5} more" if len(known.links) > 5 else ""
    print(f"not followed, as they are links: {links}{more}")


def _print_objects(flags: Flags, head: Sequence[str], objects) -> bool:
  """Prints JSON or CSV, if that is asked for."""
  if flags.format == "json":
    print(listing.as_json(objects))
  elif flags.format == "csv":
    print(listing.as_csv(head, objects), end="")
  return flags.format != "text"


def _items(flags: Flags, known: Inventory) -> list[Trashed]:
  """Returns what is in the trash, as the filters and names leave it."""
  items = actions.in_trash(known)
  if flags.older:
    age = listing.parse_age(flags.older, "older")
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(0, age)
    items = [item for item in items if item.moved <= before]
  return items


def _list_trash(flags: Flags, known: Inventory) -> None:
  items = _items(flags, known)
  if flags.names:
    items, nothing = named.trashed(flags.names, items, known)
    for name in nothing:
      raise UsageError(f"{name}: nothing in the trash is called so")
  objects = [
    {
      "name": item.path.name,
      "origin": named.origin(item, known),
      "kind": str(item.about.get("kind", "")),
      "moved": item.date,
      "bytes": inventory.use_of(item.path).size,
    }
    for item in items
  ]
  head = ("name", "origin", "kind", "moved", "size")
  if _print_objects(flags, (*head[:-1], "bytes"), objects):
    return
  if objects:
    cells = [[*map(str, one.values())] for one in objects]
    rows = [[*map(escaped, c[:-1]), show_size(int(c[-1]))] for c in cells]
    print(listing.table(head, rows))
  size = sum(int(str(one["bytes"])) for one in objects)
  print(f"in the trash: {len(objects)}, {show_size(size)}")
