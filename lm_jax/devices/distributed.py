"""Lets several processes of one run agree on what comes next.

Every process runs the same program over the same global arrays. So whatever
decides what comes next has to be the same in all of them: if only one process
can know something (a signal, a clock, a file, a mistake in its flags), it sends
it to the others before any process acts on it. lm_jax/devices/cluster.py joins
the processes.
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
  """Returns whether this is one of several processes; starts no backend."""
  if "jax" not in sys.modules:
    return False
  import jax

  return jax.distributed.is_initialized()


def is_first() -> bool:
  """Returns whether this is the process that writes and prints for all."""
  if not active():
    return True
  import jax

  return jax.process_index() == 0


def client() -> Any:
  """Returns this process's client of jax's coordination service."""
  # jax has no public door to its coordination service's store; orbax takes
  # this one, too.
  from jax._src import distributed

  return distributed.global_state.client


_stage = 0


def exchange(text: str) -> list[str]:
  """Returns the texts of all processes, in their order; waits for all."""
  if not active():
    return [text]
  import jax

  global _stage
  _stage += 1
  here = f"lm_jax/{_stage}"
  client().key_value_set(f"{here}/{jax.process_index()}", text)
  return [_wait(f"{here}/{i}") for i in range(jax.process_count())]


def anywhere(fact: bool) -> bool:
  """Returns whether a fact is true in any process; all must call it."""
  return any(exchange("yes" if fact else ""))


def _wait(key: str) -> str:
  """Waits for the text of a process, which may prepare data for hours first.

  Its death would be noticed in any case.
  """
  import jax

  while True:
    try:
      return client().blocking_key_value_get(key, _SLICE_MS)
    except jax.errors.JaxRuntimeError as error:
      if "DEADLINE_EXCEEDED" not in str(error):
        raise


@contextlib.contextmanager
def raise_everywhere() -> Iterator[None]:
  """Raises a UsageError of one process in all of them."""
  problem: UsageError | None = None
  try:
    yield
  except UsageError as error:
    problem = error
  problems = exchange(str(problem or ""))
  if problem is not None:
    raise problem
  for process, text in enumerate(problems):
    if text:
      raise UsageError(f"process {process}: {text}")


def require_same(values: Mapping[str, Any]) -> None:
  """Raises UsageError in all processes unless all give the same JSON values.

  Their names stand in the message.
  """
  first, *others = map(json.loads, exchange(json.dumps(values)))
  for process, other in enumerate(others, 1):
    for name in first:
      if other.get(name) != first[name]:
        raise UsageError(
          f"{name}: process {process} has {other.get(name)!r}, process 0 has"
          f" {first[name]!r}"
        )


def require_shared(directory: os.PathLike) -> None:
  """Raises UsageError unless all processes see the same directory.

  Process 0 writes a file there, which the others look for.
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
      f"--workdir={directory}: {', '.join(blind)} does not see what process 0"
      " writes there; several hosts need a shared file system"
    )


class Votes:
  """Signals to stop, exchanged by the processes between two steps.

  It is a tiny all-reduce that is read a step later, so that no device waits for
  a host and all processes read the same. It also limits the number of programs
  in flight: XLA's CPU backend deadlocks with a hundred that hold collectives.

  Args:
    seconds: the initial clock, the same in all processes.
  """

  def __init__(self, seconds: float = 0.0):
    self._clock = seconds
    self._pending: Any = None
    if active():
      self._reduce, self._place = _reduction()

  def stop(self, noted: bool, seconds: float) -> bool:
    """Returns whether to stop; call it once after each step.

    Args:
      noted: whether this process was asked to stop.
      seconds: of this process's clock.

    Returns:
      Whether any process was asked; with several processes, the answer is that
      of the step before.
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
    """Returns the shared clock: `own`, or process 0's of the step before."""
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
