"""Reads and writes steps of checkpoints with orbax; checks them when read.

A step has two items: `state`, arrays by name, and `meta`, JSON with shape,
dtype and digest of every array. Orbax silently restores a flipped bit and casts
to another dtype; so the arrays read are compared with that record.

Arrays are written without compression: it would save a twelfth of trained
weights, but hold everything being written once more in memory; plain arrays on
a CPU are written without a copy.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax

from lm_jax.devices import distributed
from lm_jax.storage import orbax_noise
from lm_jax.storage.digest import record, sha256
from lm_jax.storage.literal_path import literal
from lm_jax.support.errors import short
from lm_jax.types import Array

TRASH = "trash"  # a folder beside the steps, of what is being deleted
# Written last, once the files of all processes are merged.
_MERGED = "manifest.ocdbt"
_ITEMS = ("state", "meta")
# Dtypes of arrays on a device, by the names that jax.numpy.dtype takes.
_DTYPES = frozenset(
  ["bool", "float16", "bfloat16", "float32", "float64", "complex64"]
  + [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
)
# Bytes to read or digest at once, unless one array has more.
_BATCH = 16 << 20


_Leaf = TypeVar("_Leaf", bound=Any)  # with a size and a dtype


class Damaged(Exception):
  """A step that cannot be read, or is not what was saved."""


class Steps:
  """Reads, writes and deletes steps.

  Args:
    directory: absolute; created if missing, except by a reader.
    policy: an orbax preservation policy, asked after each save.
    asynchronous: save in the background.
    read_only: change nothing.
  """

  def __init__(
    self, directory: Path, policy: Any, asynchronous: bool, read_only: bool
  ):
    import orbax.checkpoint as ocp

    orbax_noise.drop()
    self._directory = directory
    self._read_only = read_only
    self._written: int | None = None  # and not looked at yet
    registry = ocp.handlers.create_default_handler_registry(
      state=ocp.PyTreeCheckpointHandler(use_compression=False)
    )
    self._manager = ocp.CheckpointManager(
      literal(directory),
      options=ocp.CheckpointManagerOptions(
        create=not read_only,
        # Deleting in place would leave half a step behind when killed.
        todelete_subdir=None if read_only else TRASH,
        cleanup_tmp_directories=not read_only,
        # Else one step's damaged metadata keep all others from being read.
        lightweight_initialize=True,
        preservation_policy=policy,
        enable_async_checkpointing=asynchronous,
      ),
      handler_registry=registry,
    )

  def all(self) -> list[int]:
    """Returns all steps, ascending, including empty directories."""
    return sorted(self._manager.all_steps())

  def complete(self) -> list[int]:
    """Returns the steps that have both items."""
    return [
      step
      for step in self.all()
      if all((self._directory / str(step) / item).is_dir() for item in _ITEMS)
    ]

  def write(
    self, step: int, leaves: Mapping[str, Array], body: dict[str, Any]
  ) -> None:
    """Writes a new step: arrays by name, and their seal."""
    import orbax.checkpoint as ocp

    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.PyTreeSave(dict(leaves)), meta=ocp.args.JsonSave(body)
      ),
      force=True,
    )
    self._written = step

  def read_body(self, step: int) -> dict[str, Any]:
    """Reads the JSON of a step, or raises Damaged.

    Its `leaves` has [shape, dtype, digest] by name.
    """
    import orbax.checkpoint as ocp

    body = self._read(step, meta=ocp.args.JsonRestore()).meta
    if not isinstance(body, dict) or body.pop("sha256", "") != sha256(body):
      raise Damaged("its JSON is not what was saved")
    _check_body(body)
    return body

  def read_leaves(
    self,
    step: int,
    wanted: Mapping[str, jax.ShapeDtypeStruct],
    leaves: Mapping[str, list],
  ) -> dict[str, Array]:
    """Reads some arrays of a step, with the wanted shardings or on one device.

    While an array is read, up to three copies exist. So the largest come first,
    when little else is held.

    Args:
      step: an existing step.
      wanted: with the stored shapes and dtypes.
      leaves: the record in the step's JSON.

    Raises:
      Damaged: an array is not what was saved.
    """
    import orbax.checkpoint as ocp

    arrays: dict[str, Array] = {}
    for batch in _batches(wanted):
      shardings = {name: _sharding(leaf) for name, leaf in batch.items()}
      args = ocp.checkpoint_utils.construct_restore_args(batch, shardings)
      read = self._read(
        step,
        state=ocp.args.PyTreeRestore(
          batch, restore_args=args, partial_restore=True
        ),
      ).state
      for name in batch:
        # If its metadata are damaged, orbax returns the request itself.
        if not isinstance(read.get(name), jax.Array):
          raise Damaged(f"{name} is not there")
      for name, entry in _record(read).items():
        if entry != leaves[name]:
          raise Damaged(f"the bits of {name} are not those that were saved")
      arrays |= read
    return arrays

  def check(self, step: int) -> None:
    """Reads all arrays of a step, some at a time, and keeps none.

    Raises Damaged if one is not what was saved.
    """
    leaves = self.read_body(step)["leaves"]
    shapes = {
      name: jax.ShapeDtypeStruct(tuple(shape), jax.numpy.dtype(dtype))
      for name, (shape, dtype, _) in leaves.items()
    }
    for batch in _batches(shapes):
      self.read_leaves(step, batch, leaves)

  def delete(self, step: int) -> None:
    self._manager.delete(step)

  def empty_trash(self) -> None:
    trash = self._directory / TRASH
    if trash.is_dir() and not self._read_only and jax.process_index() == 0:
      shutil.rmtree(trash)

  def wait(self) -> None:
    """Waits until the last save is on disk; raises its error."""
    self._manager.wait_until_finished()
    step, self._written = self._written, None
    if step is None or jax.process_index():
      return
    folder = self._directory / str(step) / "state"
    # Orbax only warns of it ("Skipping merge"), and what it leaves is unread.
    if folder.is_dir() and not (folder / _MERGED).exists():
      raise RuntimeError(f"{folder}: was not written whole, and can't be read")

  def close(self) -> None:
    self.wait()
    self.empty_trash()
    self._manager.close()

  def _read(self, step: int, **items: Any) -> Any:
    import orbax.checkpoint as ocp

    read, damage, cause = None, "", None
    try:
      read = self._manager.restore(step, args=ocp.args.Composite(**items))
    except (MemoryError, PermissionError, jax.errors.JaxRuntimeError):
      raise  # of this machine, not of the checkpoint
    except Exception as error:  # a truncated file raises any kind
      line = " ".join(str(error).split())[:200]
      damage, cause = f"{type(error).__name__}: {line}", error
    # Each process reads its own shards, and all take the same step.
    for text in distributed.exchange(damage):
      if text:
        raise Damaged(text) from cause
    return read


def seal(
  leaves: Mapping[str, Array], body: Mapping[str, Any]
) -> dict[str, Any]:
  """Adds the record of the arrays and a digest of everything to JSON values."""
  whole = {**body, "leaves": _record(leaves)}
  whole = json.loads(json.dumps(whole))  # what a reader will see
  whole["sha256"] = sha256(whole)
  return whole


def _check_body(body: dict[str, Any]) -> None:
  """Raises Damaged unless the JSON of a step has the form of `seal`'s.

  Its digest detects damage, but not a file that somebody else sealed.
  """
  if not all(isinstance(body.get(k), dict) for k in ("meta", "metrics")):
    raise Damaged("its JSON has no meta or no metrics")
  if not all(type(x) in (int, float) for x in body["metrics"].values()):
    raise Damaged("its metrics are not numbers")
  leaves = body.get("leaves")
  if not isinstance(leaves, dict):
    raise Damaged("its JSON has no record of the arrays")
  for name, entry in leaves.items():
    if not isinstance(entry, list) or len(entry) != 3:
      raise Damaged(f"its record of {short(name)} is {short(entry)}")
    shape, *texts = entry
    if (
      not isinstance(shape, list)
      or not all(type(n) is int and 0 <= n < 2**63 for n in shape)
      or not all(isinstance(text, str) for text in texts)
      or texts[0] not in _DTYPES
    ):
      raise Damaged(f"its record of {short(name)} is {short(entry)}")


class Keep:
  """An orbax preservation policy with a separate record of the metric.

  Orbax's BestN forgets the metrics of an earlier process, and lets one NaN
  evict the best step.
  """

  def __init__(self, last: int, every: int, metrics: Mapping[int, float]):
    self._last, self._every, self._metrics = last, every, metrics

  def should_preserve(self, checkpoints, *, context) -> list[bool]:
    del context
    steps = [checkpoint.step for checkpoint in checkpoints]
    kept = set(sorted(steps)[-self._last :])
    known = [step for step in steps if step in self._metrics]
    if known:
      kept.add(min(known, key=self._metrics.__getitem__))
    return [
      step in kept or bool(self._every and step % self._every == 0)
      for step in steps
    ]


def _record(leaves: Mapping[str, Array]) -> dict[str, list]:
  """Computes `record` part by part: each part needs its size again."""
  entries: dict[str, list] = {}
  for batch in _batches(leaves):
    entries |= record(batch)
  return entries


def _sharding(leaf: jax.ShapeDtypeStruct) -> jax.sharding.Sharding:
  if leaf.sharding is not None:
    return leaf.sharding
  return jax.sharding.SingleDeviceSharding(jax.devices()[0])


def _batches(leaves: Mapping[str, _Leaf]) -> Iterator[dict[str, _Leaf]]:
  def size(name: str) -> int:
    return leaves[name].size * leaves[name].dtype.itemsize

  batch: dict[str, _Leaf] = {}
  held = 0
  for name in sorted(leaves, key=size, reverse=True):
    if batch and held + size(name) > _BATCH:
      yield batch
      batch, held = {}, 0
    batch[name] = leaves[name]
    held += size(name)
  if batch:
    yield batch
