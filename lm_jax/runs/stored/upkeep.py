"""Moves runs and experiments to the trash, deletes them, frees checkpoints.

Everything is checked before anything is moved, and the locks of all runs are
held meanwhile, so that none of them starts.
"""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lm_jax.runs.stored import entry as entry_lib
from lm_jax.runs.stored import inventory as inventory_lib
from lm_jax.runs.stored.entry import Entry
from lm_jax.runs.stored.inventory import Inventory, Use
from lm_jax.storage import freeing, lock, trash
from lm_jax.storage.trash import Trashed
from lm_jax.support.errors import UsageError, about
from lm_jax.support.status import DIVERGED, DONE

_FILES = 64  # that a process has open besides locks


def outermost(entries: Sequence[Entry]) -> list[Entry]:
  """Leaves out entries that lie within others of them."""
  paths = {one.path for one in entries}
  return [one for one in entries if not paths & set(one.path.parents)]


@contextlib.contextmanager
def checked(
  inventory: Inventory, entries: Sequence[Entry], force: bool
) -> Iterator[dict[Path, Use]]:
  """Checks that entries may go, and keeps processes from them meanwhile.

  Args:
    entries: none within another.
    force: also where others depend on them, or lie in them.

  Yields:
    what each takes on disk, by its path.

  Raises:
    UsageError: one is in use, is not surely of lm_jax, or is needed.
  """
  for one in entries:
    with about(one.name):
      if not one.certain:
        raise UsageError(
          f"can't be read ({one.error}), so that it may be of another program;"
          " remove it by hand"
        )
      others = [
        other.name
        for other in inventory.entries
        if one.path in other.path.parents
        and other not in one.members
        and other.kind != entry_lib.COMPARISON  # a page, made again at once
      ]
      if others and not force:
        raise UsageError(
          f"holds {_listed(others)}, no part of it; move that elsewhere, or"
          " --force takes it along"
        )
  going = [one.path for one in entries]
  needed = inventory_lib.dependents(inventory, going)
  for one in entries:
    names = needed.get(str(one.path), [])
    if names and not force:
      verb = "needs" if len(names) == 1 else "need"
      raise UsageError(
        f"{one.name}: {_listed(names)} {verb} it, as model or tokenizer;"
        " --force does it all the same"
      )
  uses = {path: inventory_lib.use_of(path) for path in going}
  locked = [[path, *use.locks] for path, use in uses.items()]
  places = list(dict.fromkeys(place for some in locked for place in some))
  with contextlib.ExitStack() as stack:
    _allow_files(len(places))
    for place in places:
      stack.enter_context(lock.keep_out(place, force))
    yield uses


def to_trash(one: Entry) -> Trashed:
  """Moves an entry into the trash beside it."""
  return trash.move(one.path, {"kind": one.kind, "status": one.status})


class Checkpoints(NamedTuple):
  """Checkpoints of a run that are to go, and what they take."""

  name: str
  plan: freeing.Plan
  size: int

  @property
  def text(self) -> str:
    """Says which go, and which stay."""
    steps = self.plan.freed
    parts = [f"checkpoint{'' if len(steps) == 1 else 's'} {_listed(steps)}"]
    if not steps:
      parts = []
    if self.plan.leftovers:
      parts.append("what killed processes left")
    return f"{' and '.join(parts)}; {_listed(self.plan.kept)} stays"


def runs_of(entries: Sequence[Entry]) -> list[Entry]:
  """Returns entries that are runs, and the runs of the other ones."""
  kinds = (entry_lib.RUN, entry_lib.FINETUNING, entry_lib.IMPORT)
  runs = [
    one
    for some in entries
    for one in ([some] if some.kind in kinds else some.members)
  ]
  return list({one.path: one for one in runs}.values())


def checkpoints_of(run: Entry) -> list[Checkpoints]:
  """Works out which checkpoints of a finished run and its branches may go.

  Nobody may write the run meanwhile.
  """
  folders = {run.name: run.path}
  branches = run.path / "branches"
  if trash.is_directory(branches):
    for path in entry_lib.directories(branches):
      one = entry_lib.read(path, f"{run.name}/branches/{path.name}")
      if one is not None and is_finished(one):
        folders[one.name] = path
  known = []
  for name, path in folders.items():
    planned = freeing.plan(path, run.kind == entry_lib.FINETUNING)
    if planned is not None and planned.paths:
      sizes = [inventory_lib.use_of(place).size for place in planned.paths]
      known.append(Checkpoints(name, planned, sum(sizes)))
  return known


def is_finished(run: Entry) -> bool:
  return run.status in (DONE, DIVERGED)


def _listed(names: Sequence[object]) -> str:
  most = 5
  more = [f"{len(names) - most} more"] if len(names) > most else []
  return ", ".join([*map(str, names[:most]), *more])


def _allow_files(count: int) -> None:
  """Raises the limit of open files, if so many locks need it."""
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  needed = count + _FILES
  if soft != resource.RLIM_INFINITY and soft < needed:
    most = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
