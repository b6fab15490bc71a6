"""Several processes as one run: what they agree on, and how.

Every process runs the same program over the same global arrays. So whatever
decides what comes next has to be the same in all of them: what one process
alone can know (a signal, a clock, a file, a mistake in its flags) is told to
the others before anybody acts on it. How they meet: lm_jax/devices/cluster.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from lm_jax.support.errors import UsageError

# How long a wait for the others keeps a signal from being handled.
_SLICE_MS = 1000


def active() -> bool:
  """Is this one of several processes? Never starts a backend."""
  if "jax" not in sys.modules:
    return False
  import jax

  return jax.distributed.is_initialized()


def is_first() -> bool:
  """Is this the process that writes and speaks for all?"""
  if not active():
    return True
  import jax

  return jax.process_index() == 0


def client() -> Any:
  """jax's coordination service, as this process sees it."""
  # jax has no public door to its coordination service's store; orbax takes
  # this one, too.
  from jax._src import distributed

  return distributed.global_state.client


_stage = 0


def exchange(text: str) -> list[str]:
  """What each process gives here, in their order; waits for all of them."""
  if not active():
    return [text]
  import jax

  global _stage
  _stage += 1
  here = f"lm_jax/{_stage}"
  client().key_value_set(f"{here}/{jax.process_index()}", text)
  return [_wait(f"{here}/{i}") for i in range(jax.process_count())]


def anywhere(fact: bool) -> bool:
  """Is it true of any process? All of them ask."""
  return any(exchange("yes" if fact else ""))


def _wait(key: str) -> str:
  """What a process has told, which may prepare data for hours before.

  That it dies meanwhile is noticed anyhow.
  """
  import jax

  while True:
    try:
      return client().blocking_key_value_get(key, _SLICE_MS)
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error):
        raise


@contextlib.contextmanager
def together() -> Iterator[None]:
  """A UsageError of one process within it is raised in all of them."""
  problem: UsageError | None = None
  try:
    yield
  except UsageError as error:
    problem = error
  told = exchange(str(problem or ""))
  if problem is not None:
    raise problem
  for process, text in enumerate(told):
    if text:
      raise UsageError(f"process {process}: {text}")


def require_same(values: Mapping[str, Any]) -> None:
  """Raises UsageError in all processes unless all give the same values.

  Args:
    values: of JSON, by the names that a message gives them.
  """
  first, *others = map(json.loads, exchange(json.dumps(values)))
  for process, theirs in enumerate(others, 1):
    for name in first:
      if theirs.get(name) != first[name]:
        raise UsageError(
          f"{name}: process {process} has {theirs.get(name)!r}, process 0 has"
          f" {first[name]!r}"
        )


def require_shared(directory: os.PathLike, flag: str = "--workdir") -> None:
  """Raises UsageError unless all processes see the same directory.

  Process 0 leaves a file there for the others to find.
  """
  if not active():
    return
  path = pathlib.Path(directory)
  name = exchange(f".shared-{uuid.uuid4().hex}")[0]
  if is_first():
    (path / name).touch()
  exchange("written")
  deadline = time.monotonic() + 10  # attributes of NFS may be stale
  while not (path / name).exists() and time.monotonic() < deadline:
    time.sleep(0.2)
  seen = (path / name).exists()
  hosts = exchange("" if seen else socket.gethostname())
  if is_first():
    (path / name).unlink()
  blind = [f"process {i} on {host}" for i, host in enumerate(hosts) if host]
  if blind:
    raise UsageError(
      f"{flag}={directory}: {', '.join(blind)} does not see what process 0"
      " writes there; several hosts need a shared file system"
    )


class Votes:
  """What the processes tell each other between two steps.

  A tiny all-reduce that is read a step later, so that no device waits for a
  host, and all processes read the same. It also keeps the programs in flight
  few: XLA's CPU backend deadlocks with a hundred that hold collectives.

  Args:
    seconds: the clock at first, the same in all processes.
  """

  def __init__(self, seconds: float = 0.0):
    self._clock = seconds
    self._pending: Any = None
    if active():
      self._reduce, self._place = _reduction()

  def stop(self, noted: bool, seconds: float) -> bool:
    """Is it time to stop? Once after each step.

    Args:
      noted: was this process asked to?
      seconds: on this process's clock.

    Returns:
      Whether any process was asked; of several, as of the step before.
    """
    if not active():
      return noted
    import jax

    pending = self._pending
    self._pending = self._reduce(self._place(noted, seconds))
    if pending is None:
      return False
    stop, self._clock = map(float, jax.device_get(pending))
    return bool(stop)

  def seconds(self, own: float) -> float:
    """The clock that counts: `own`, or process 0's as of the step before."""
    return self._clock if active() else own


def _reduction() -> tuple[Any, Any]:
  import jax
  import jax.numpy as jnp
  import numpy as np
  from jax.sharding import Mesh, NamedSharding, PartitionSpec

  count = jax.process_count()
  devices = sorted(jax.devices(), key=lambda d: (d.process_index, d.id))
  mesh = Mesh(np.array(devices).reshape(count, -1), ("process", "local"))
  split = NamedSharding(mesh, PartitionSpec("process"))
  whole = NamedSharding(mesh, PartitionSpec())

  @jax.jit
  def reduce(votes_Px2):
    both = jnp.stack([votes_Px2[:, 0].max(), votes_Px2[0, 1]])
    return jax.lax.with_sharding_constraint(both, whole)

  def place(noted: bool, seconds: float):
    row = np.array([[noted, seconds]], np.float32)
    return jax.make_array_from_process_local_data(split, row, (count, 2))

  return reduce, place
