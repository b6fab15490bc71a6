"""Checkpoints that are checked when they are read.

A checkpoint of ours is an orbax step with two items: `state`, the arrays under
their dotted paths, and `meta`, JSON: the caller's meta and metrics, and of
every leaf its shape, its dtype and a digest. Orbax restores a flipped bit, and
casts to another dtype, without a word; so what is restored is compared with
that record, and a checkpoint that fails is passed over for the one before.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
from absl import logging

from lm_jax.digest import digest as digest  # offered here too
from lm_jax.digest import flatten, record, sha256
from lm_jax.errors import UsageError
from lm_jax.lock import hold as hold  # offered here too

PyTree = Any

_TRASH = "trash"


class Checkpoints:
  """The checkpoints of one run, in a directory of their own.

  Kept are the last `keep_last`, every step that `keep_every` divides (if it is
  not 0), and the one with the least metric `best_metric` (a NaN never is).
  What a restore found damaged stays in place until the next save, whose run
  computes it again; a reader changes nothing.

  Args:
    directory: created if need be, except by a reader.
    keep_last: at least 1.
    keep_every: in steps.
    best_metric: the name of a metric that is better when lower.
    asynchronous: save in the background; the state may be donated as soon as
      `save` returns.
    read_only: for restoring only, also while a run writes here.

  Raises:
    UsageError: a reader finds no directory.
  """

  def __init__(
    self,
    directory: str | os.PathLike,
    keep_last: int = 2,
    keep_every: int = 0,
    best_metric: str | None = None,
    asynchronous: bool = True,
    read_only: bool = False,
  ):
    import orbax.checkpoint as ocp

    self.directory = Path(directory).absolute()
    if read_only and not self.directory.is_dir():
      raise UsageError(f"{self.directory}: there are no checkpoints here")
    self._best_metric = best_metric
    self._read_only = read_only
    self._damaged: set[int] = set()
    self._metrics: dict[int, float] = {}
    self._manager = ocp.CheckpointManager(
      self.directory,
      options=ocp.CheckpointManagerOptions(
        create=not read_only,
        # Deleting in place would leave half a step behind when killed.
        todelete_subdir=None if read_only else _TRASH,
        cleanup_tmp_directories=not read_only,
        preservation_policy=_Keep(keep_last, keep_every, self._metrics),
        enable_async_checkpointing=asynchronous,
      ),
    )
    if best_metric and not read_only:
      for step in self._complete():
        # A damaged one is the affair of `restore`, which says so.
        with contextlib.suppress(_Damaged):
          self._note(step, self._read_meta(step)["metrics"])

  def __enter__(self) -> Checkpoints:
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def latest(self) -> int | None:
    """The last complete step that is not known to be damaged."""
    return max(self._complete(), default=None)

  def save(
    self,
    step: int,
    state: PyTree,
    meta: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
    force: bool = False,
  ) -> bool:
    """Saves a step; waits for the save before it.

    Args:
      step: not before the latest one.
      state: a pytree of jax arrays.
      meta: of JSON values.
      metrics: scalars, among them `best_metric` where it is known.
      force: write the step again if it is there.

    Returns:
      False if the step was there and was left as it is.
    """
    import orbax.checkpoint as ocp

    if self._read_only:
      raise ValueError(f"{self.directory} is open for reading only")
    self._manager.wait_until_finished()
    latest = self.latest()
    if latest is not None and step < latest:
      raise ValueError(f"step {step} comes before checkpoint {latest}")
    if step == latest and not force:
      return False
    leaves = flatten(state)
    body = {
      "meta": dict(meta),
      "metrics": {name: float(x) for name, x in (metrics or {}).items()},
      "leaves": record(leaves),
    }
    body = json.loads(json.dumps(body))  # what a reader will see
    body["sha256"] = sha256(body)
    self._clear([step] if force else [])
    self._note(step, body["metrics"])
    self._manager.save(
      step,
      args=ocp.args.Composite(
        state=ocp.args.StandardSave(leaves), meta=ocp.args.JsonSave(body)
      ),
      force=True,
    )
    return True

  def restore(
    self, abstract_state: PyTree, step: int | None = None
  ) -> tuple[PyTree, dict[str, Any]] | None:
    """Restores a step: the last one that is whole, or just `step`.

    Args:
      abstract_state: of jax.ShapeDtypeStruct with the shardings wanted, which
        need not be those of the save.
      step: asked for by number.

    Returns:
      (state, meta), or None if there is no checkpoint that can be read. Each
      one passed over is logged with the reason.

    Raises:
      UsageError: the stored arrays are not those of `abstract_state` (it names
        the first that differs), or `step` is missing or damaged.
    """
    self._manager.wait_until_finished()
    steps = sorted(self._manager.all_steps())
    if step is not None and step not in steps:
      raise UsageError(
        f"{self.directory}: there is no checkpoint {step}, only {steps}"
      )
    for candidate in [step] if step is not None else reversed(steps):
      try:
        return self._restore(candidate, abstract_state)
      except _Damaged as error:
        self._damaged.add(candidate)
        if step is not None:
          raise UsageError(
            f"{self.directory}: checkpoint {step} is damaged: {error}"
          ) from error
        logging.warning(
          "%s: checkpoint %d is damaged and passed over: %s",
          self.directory,
          candidate,
          error,
        )
    return None

  def wait(self) -> None:
    """Waits until the last save is on disk; raises what went wrong in it."""
    self._manager.wait_until_finished()

  def close(self) -> None:
    """Waits, and lets go of the directory."""
    self._manager.wait_until_finished()
    self._empty_trash()
    self._manager.close()

  def _restore(
    self, step: int, abstract_state: PyTree
  ) -> tuple[PyTree, dict[str, Any]]:
    import orbax.checkpoint as ocp

    body = self._read_meta(step)
    abstract = flatten(abstract_state)
    _compare(f"{self.directory}/{step}", abstract, body["leaves"])
    wanted = {name: _placed(leaf) for name, leaf in abstract.items()}
    restored = self._read(step, state=ocp.args.StandardRestore(wanted)).state
    for name, found in record(restored).items():
      if found != body["leaves"][name]:
        raise _Damaged(f"the bits of {name} are not those that were saved")
    leaves = [restored[name] for name in abstract]
    treedef = jax.tree.structure(abstract_state)
    return jax.tree.unflatten(treedef, leaves), body["meta"]

  def _read_meta(self, step: int) -> dict[str, Any]:
    import orbax.checkpoint as ocp

    body = self._read(step, meta=ocp.args.JsonRestore()).meta
    if not isinstance(body, dict) or body.pop("sha256", "") != sha256(body):
      raise _Damaged("its JSON is not what was saved")
    return body

  def _read(self, step: int, **items: Any) -> Any:
    import orbax.checkpoint as ocp

    try:
      return self._manager.restore(step, args=ocp.args.Composite(**items))
    except (MemoryError, PermissionError, jax.errors.JaxRuntimeError):
      raise  # of this machine, not of the checkpoint
    except Exception as error:  # a truncated file raises any kind
      line = " ".join(str(error).split())[:200]
      raise _Damaged(f"{type(error).__name__}: {line}") from error

  def _complete(self) -> list[int]:
    """Steps that are not empty directories, as a crash or a hand may leave."""
    items = ("state", "meta")
    return [
      step
      for step in self._manager.all_steps()
      if step not in self._damaged
      and all((self.directory / str(step) / item).is_dir() for item in items)
    ]

  def _note(self, step: int, metrics: Mapping[str, float]) -> None:
    value = metrics.get(self._best_metric or "", math.nan)
    if math.isfinite(value):
      self._metrics[step] = value

  def _clear(self, replaced: Iterable[int]) -> None:
    """Clears the way for a save: orbax refuses a step that is there, and would
    count one that cannot be read among the latest.
    """
    self._empty_trash()
    steps = set(self._manager.all_steps())
    for step in (steps - set(self._complete())) | (steps & set(replaced)):
      self._manager.delete(step)
      self._damaged.discard(step)
      self._metrics.pop(step, None)

  def _empty_trash(self) -> None:
    trash = self.directory / _TRASH
    if trash.is_dir() and not self._read_only and jax.process_index() == 0:
      shutil.rmtree(trash)


class _Damaged(Exception):
  """A checkpoint that cannot be read, or is not what was saved."""


class _Keep:
  """An orbax preservation policy over our own record of the metric.

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


def _placed(leaf: Any) -> jax.ShapeDtypeStruct:
  sharding = getattr(leaf, "sharding", None)
  if sharding is None:
    sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _compare(
  where: str, abstract: Mapping[str, Any], stored: Mapping[str, list]
) -> None:
  """Raises UsageError at the first leaf that is not of the expected kind."""

  def kind(shape, dtype):
    return f"{dtype}{list(shape)}"

  for name in [*abstract, *stored]:
    expected = found = "nothing"
    if name in abstract:
      expected = kind(abstract[name].shape, abstract[name].dtype)
    if name in stored:
      found = kind(*stored[name][:2])
    if expected != found:
      raise UsageError(
        f"{where}: the checkpoint is of another configuration: at {name} "
        f"{expected} was expected and {found} is stored"
      )
