"""A few small checkpoints, to be damaged, and what may come of that."""

from __future__ import annotations

import contextlib
import gc
import logging
import pathlib
import shutil
import sys
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from lm_jax.storage.checkpoint import Checkpoints
from lm_jax.storage.digest import digest

STEPS = (10, 20, 30)


class Stored:
  """Three steps of a state with arrays of many shapes and dtypes."""

  def __init__(self, folder: pathlib.Path):
    self.folder = folder / "checkpoints"
    with Checkpoints(self.folder, keep_last=3) as checkpoints:
      for step in STEPS:
        checkpoints.save(step, _state(step), {"step": step})

  def copy(self, folder: pathlib.Path) -> pathlib.Path:
    to = folder / "checkpoints"
    shutil.copytree(self.folder, to)
    return to

  def files(self) -> list[pathlib.Path]:
    """Those of the last step, relative to the folder."""
    last = self.folder / str(STEPS[-1])
    files = [path for path in last.rglob("*") if path.is_file()]
    return sorted(path.relative_to(self.folder) for path in files)


def _state(step: int) -> dict[str, jax.Array]:
  rng = np.random.default_rng(step)
  shapes = {"params.kernel": (48, 32), "params.bias": (32,), "mu": (48, 32)}
  state = {
    name: jnp.asarray(rng.normal(size=shape), jnp.float32)
    for name, shape in shapes.items()
  }
  state["half"] = jnp.asarray(rng.normal(size=(3, 7)), jnp.bfloat16)
  state["flags"] = jnp.asarray(rng.integers(0, 2, 5), jnp.bool)
  state["tokens"] = jnp.asarray([step, 1], jnp.uint32)
  state["step"] = jnp.int32(step)
  return state


def check(folder: pathlib.Path, harmless: bool) -> bool:
  """What is restored after the last step was damaged.

  Args:
    folder: with the checkpoints.
    harmless: the damage may be to bytes that bear nothing.

  Returns:
    Whether the step before was taken, which was said then.
  """
  state = _state(STEPS[-1])
  abstract = {
    n: jax.ShapeDtypeStruct(x.shape, x.dtype) for n, x in state.items()
  }
  with _warnings() as said, Checkpoints(folder) as checkpoints:
    restored = checkpoints.restore(abstract)
  assert restored is not None, "nothing was restored"
  found, meta = restored
  step = meta["step"]
  assert step in STEPS[-2:], f"step {step} was restored"
  assert digest(found) == digest(_state(step)), "silently another state"
  passed_over = any(
    f"checkpoint {STEPS[-1]} is damaged and passed over" in line
    for line in said
  )
  assert passed_over == (step != STEPS[-1]), said
  assert passed_over or harmless, "the damage was not noticed"
  return passed_over


@contextlib.contextmanager
def _warnings() -> Iterator[list[str]]:
  lines: list[str] = []

  class Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
      lines.append(record.getMessage())

  logger, handler = logging.getLogger("absl"), Handler()
  propagate, logger.propagate = logger.propagate, False
  hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
  logger.addHandler(handler)
  try:
    yield lines
  finally:
    gc.collect()  # Orbax has abandoned reads, which ends in complaints.
    sys.unraisablehook = hook
    logger.removeHandler(handler)
    logger.propagate = propagate
