"""Saves and restores the checkpoints of a run; skips damaged ones.

The contents of a step are compared with what the run expects. A damaged step
(lm_jax/storage/steps.py) is skipped for the one before it.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import jax
from absl import logging

from lm_jax.storage.digest import digest as digest  # offered here too
from lm_jax.storage.digest import flatten
from lm_jax.storage.lock import hold as hold  # offered here too
from lm_jax.storage.steps import Damaged, Keep, Steps, seal
from lm_jax.support.errors import UsageError, require_text

PyTree = Any
# Shape and dtype of arrays by their dotted paths.
Stored = dict[str, tuple[tuple[int, ...], Any]]
_Result = TypeVar("_Result")

_PARAMS = "params."


class Checkpoints:
  """Checkpoints of one run, in a directory of their own.

  It keeps the last `keep_last` steps, every step that `keep_every` divides (if
  it is not 0), and the step with the lowest (or highest) value of the metric
  `best_metric`; a NaN is never the best. A damaged step stays in place until
  the next save, whose run computes it again; a reader changes nothing.

  Args:
    directory: created if missing, except by a reader.
    keep_last: at least 1.
    keep_every: in steps.
    best_metric: the name of a metric; lower is better.
    highest: higher is better.
    asynchronous: save in the background; the state may be donated as soon as
      `save` returns.
    read_only: for restoring only, even while a run writes here.

  Raises:
    UsageError: a reader finds no directory.
  """

  def __init__(
    self,
    directory: str | os.PathLike,
    keep_last: int = 2,
    keep_every: int = 0,
    best_metric: str | None = None,
    highest: bool = False,
    asynchronous: bool = True,
    read_only: bool = False,
  ):
    self.directory = Path(directory).absolute()
    require_text(self.directory, "checkpoints")
    if read_only and not self.directory.is_dir():
      raise UsageError(f"{self.directory}: there are no checkpoints here")
    self._best_metric = best_metric
    self._sign = -1.0 if highest else 1.0
    self._read_only = read_only
    self._damaged: set[int] = set()
    self._metrics: dict[int, float] = {}
    policy = Keep(keep_last, keep_every, self._metrics)
    self._steps = Steps(self.directory, policy, asynchronous, read_only)
    if best_metric and not read_only:
      self._note_all()

  def __enter__(self) -> Checkpoints:
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def latest(self) -> int | None:
    """Returns the last complete step that is not known to be damaged."""
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

    On a CPU the arrays are written without a copy; the arrays of other devices
    are copied to the host once while they are written.

    Args:
      step: not before the latest one.
      state: a pytree of jax arrays.
      meta: of JSON values.
      metrics: scalars, with `best_metric` if it is known.
      force: write the step again if it exists.

    Returns:
      False if the step existed and was left unchanged.
    """
    if self._read_only:
      raise ValueError(f"{self.directory} is open for reading only")
    self._steps.wait()
    latest = self.latest()
    if latest is not None and step < latest:
      raise ValueError(f"step {step} comes before checkpoint {latest}")
    if step == latest and not force:
      return False
    scalars = {name: float(x) for name, x in (metrics or {}).items()}
    leaves = flatten(state)
    body = seal(leaves, {"meta": dict(meta), "metrics": scalars})
    self._clear([step] if force else [])
    self._note(step, scalars)
    self._steps.write(step, leaves, body)
    return True

  def restore(
    self,
    abstract_state: PyTree,
    step: int | None = None,
    accept: Callable[[int, dict[str, Any]], None] | None = None,
  ) -> tuple[PyTree, dict[str, Any]] | None:
    """Restores a step: the last undamaged one, or just `step`.

    Args:
      abstract_state: of jax.ShapeDtypeStruct with the wanted shardings, which
        need not be those of the save.
      step: a step number.
      accept: takes a step and its meta, and raises an error if it does not fit,
        before any array is read.

    Returns:
      (state, meta), or None if no checkpoint can be read. Each skipped one is
      logged with the reason.

    Raises:
      UsageError: the stored arrays differ from `abstract_state` (it names the
        first that does), or `step` is missing or damaged.
    """
    return self._first_whole(
      step,
      lambda candidate: self._restore(candidate, abstract_state, "", accept),
    )

  def restore_params(
    self,
    abstract_params: PyTree | Callable[[dict[str, Any], Stored], PyTree],
    step: int | None = None,
  ) -> tuple[PyTree, dict[str, Any]] | None:
    """Restores only the `params` of a state; else like `restore`.

    Nothing else of the step is read: the optimizer's state may be of any form,
    or damaged.

    Args:
      abstract_params: their shapes, dtypes and shardings; or what gives these
        for the meta of a step and what it stores.
      step: as of `restore`.
    """
    return self._first_whole(
      step, lambda candidate: self._restore(candidate, abstract_params, _PARAMS)
    )

  def steps(self) -> list[int]:
    """Returns the numbers of all steps."""
    self._steps.wait()
    return self._steps.all()

  def meta(self) -> dict[str, Any] | None:
    """Returns the meta of the last step with an undamaged record.

    No array is read.
    """
    body = self._first_whole(None, self._steps.read_body)
    return body["meta"] if body else None

  def last_intact(self) -> int | None:
    """Returns the last step that is all as it was saved; it is read for it."""

    def check(step: int) -> int:
      self._steps.check(step)
      return step

    return self._first_whole(None, check)

  def wait(self) -> None:
    """Waits until the last save is on disk; raises its error."""
    self._steps.wait()

  def close(self) -> None:
    """Waits, and closes the directory."""
    self._steps.close()

  def _first_whole(
    self, step: int | None, read: Callable[[int], _Result]
  ) -> _Result | None:
    """Returns `read(step)`, or that of the last undamaged step."""
    self._steps.wait()
    steps = self._steps.all()
    if step is not None and step not in steps:
      raise UsageError(
        f"{self.directory}: there is no checkpoint {step}, only {steps}"
      )
    for candidate in [step] if step is not None else reversed(steps):
      try:
        return read(candidate)
      except Damaged as error:
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

  def _restore(
    self,
    step: int,
    abstract_tree: Any,
    prefix: str,
    accept: Callable[[int, dict[str, Any]], None] | None = None,
  ) -> tuple[PyTree, dict[str, Any]]:
    """Returns the leaves under a prefix as a tree, and the meta."""
    body = self._steps.read_body(step)
    if accept is not None:
      accept(step, body["meta"])
    stored = {
      name: leaf
      for name, leaf in body["leaves"].items()
      if name.startswith(prefix)
    }
    if callable(abstract_tree):
      shapes = {
        name.removeprefix(prefix): (tuple(shape), jax.numpy.dtype(dtype))
        for name, (shape, dtype, _) in stored.items()
      }
      abstract_tree = abstract_tree(body["meta"], shapes)
    abstract = {
      prefix + name: leaf for name, leaf in flatten(abstract_tree).items()
    }
    _compare(f"{self.directory}/{step}", abstract, stored)
    restored = self._steps.read_leaves(step, abstract, stored)
    leaves = [restored[name] for name in abstract]
    treedef = jax.tree.structure(abstract_tree)
    return jax.tree.unflatten(treedef, leaves), body["meta"]

  def _complete(self) -> list[int]:
    return [x for x in self._steps.complete() if x not in self._damaged]

  def prefer(self, metric: str) -> None:
    """Keeps the best step by this metric from now on."""
    if metric != self._best_metric:
      self._best_metric = metric
      self._metrics.clear()
      self._note_all()

  def _note_all(self) -> None:
    for step in self._complete():
      # `restore` reports damaged ones.
      with contextlib.suppress(Damaged):
        self._note(step, self._steps.read_body(step)["metrics"])

  def _note(self, step: int, metrics: Mapping[str, float]) -> None:
    value = metrics.get(self._best_metric or "", math.nan)
    if math.isfinite(value):
      self._metrics[step] = self._sign * value

  def _clear(self, replaced: Iterable[int]) -> None:
    """Deletes steps that stand in the way of a save.

    Orbax refuses a step that exists, and would count one that cannot be read
    among the latest.
    """
    self._steps.empty_trash()
    steps = set(self._steps.all())
    for step in (steps - set(self._complete())) | (steps & set(replaced)):
      self._steps.delete(step)
      self._damaged.discard(step)
      self._metrics.pop(step, None)


def _compare(
  where: str, abstract: Mapping[str, Any], stored: Mapping[str, list]
) -> None:
  """Raises UsageError at the first leaf with another shape or dtype."""

  def kind(shape, dtype):
    return f"{dtype}{list(shape)}"

  for name in [*abstract, *stored]:
    expected = actual = "nothing"
    if name in abstract:
      expected = kind(abstract[name].shape, abstract[name].dtype)
    if name in stored:
      actual = kind(*stored[name][:2])
    if expected != actual:
      raise UsageError(
        f"{where}: the checkpoint is of another configuration: at {name} "
        f"{expected} was expected and {actual} is stored"
      )
