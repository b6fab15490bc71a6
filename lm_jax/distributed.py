"""Several processes as one run: how they meet, and what they agree on.

Every process runs the same program over the same global arrays. So whatever
decides what comes next has to be the same in all of them: what one process
alone can know (a signal, a clock, a file, a mistake in its flags) is told to
the others before anybody acts on it.

A process that dies or hangs ends the others: jax's coordination service
aborts them HEARTBEAT seconds after it was last heard of.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from lm_jax.errors import UsageError
from lm_jax.options import Option

# Seconds after which a silent process counts as dead.
HEARTBEAT = 10
# Seconds that a process which fails waits for others that fail alike.
_GRACE = 3
# How long a wait for the others keeps a signal from being handled.
_SLICE_MS = 1000

FLAGS = {
  "distributed": Option(
    "distributed",
    bool,
    False,
    "this is one of several processes; SLURM, GKE, a TPU or MPI tells which",
  ),
  "coordinator": Option(
    "coordinator",
    str,
    "",
    "HOST:PORT of process 0, where nothing tells; needs the next two",
  ),
  "num_processes": Option("num_processes", int, 0, "how many processes"),
  "process_id": Option("process_id", int, 0, "which of them this is, from 0"),
  "join_timeout": Option(
    "join_timeout", int, 300, "seconds to wait until all processes are there"
  ),
}


@dataclasses.dataclass(frozen=True)
class Cluster:
  """Where the processes meet; None is for jax to detect.

  coordinator: "HOST:PORT" of process 0.
  timeout: in seconds, until all are there.
  """

  coordinator: str | None = None
  num_processes: int | None = None
  process_id: int | None = None
  timeout: int = 300


def cluster(given: Mapping[str, str]) -> Cluster | None:
  """The cluster that flags name, or None for a process alone.

  Args:
    given: texts of flags by name, others than FLAGS among them.

  Raises:
    UsageError: some of the flags without the others, or out of range.
  """
  values = {
    name: FLAGS[name].parse(text)
    for name, text in given.items()
    if name in FLAGS
  }
  timeout = values.pop("join_timeout", FLAGS["join_timeout"].default)
  if timeout < 1:
    raise UsageError(f"--join_timeout={timeout}: must be at least 1")
  wanted = values.pop("distributed", bool(values))
  if not wanted:
    if values:
      raise UsageError(f"--distributed=false: --{min(values)} is of several")
    return None
  if not values:
    return Cluster(timeout=timeout)
  missing = {"coordinator", "num_processes", "process_id"} - set(values)
  if missing:
    raise UsageError(
      f"--{min(missing)}: missing; --coordinator, --num_processes and"
      " --process_id go together, or none of them where SLURM, GKE, a TPU or"
      " MPI tells"
    )
  where, count, number = (
    values[name] for name in ("coordinator", "num_processes", "process_id")
  )
  host, _, port = where.rpartition(":")
  if not (host and port.isdecimal() and 0 < int(port) < 2**16):
    raise UsageError(
      f"--coordinator={where}: must be HOST:PORT of process 0, as in"
      " node1:12355"
    )
  if count < 1:
    raise UsageError(f"--num_processes={count}: must be at least 1")
  if not 0 <= number < count:
    raise UsageError(
      f"--process_id={number}: must be from 0 to {count - 1} where"
      f" --num_processes={count}"
    )
  return Cluster(where, count, number, timeout)


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


@contextlib.contextmanager
def joined(cluster: Cluster | None) -> Iterator[None]:
  """Within it this process is one of a cluster; of none, it stays alone.

  To be entered before jax has looked for devices. If all processes fail
  alike, each goes on with its exception. One that fails alone says why and
  exits at once, or its peers would wait for it.

  Raises:
    UsageError: no cluster was found.
  """
  if cluster is None:
    yield
    return
  _initialize(cluster)
  import jax

  try:
    yield
  except BaseException as error:
    if not _all_leave():
      _exit(error)
    jax.distributed.shutdown()
    raise
  jax.distributed.shutdown()


def _initialize(cluster: Cluster) -> None:
  import jax

  # Collectives between the CPUs of several processes; other devices have
  # their own.
  jax.config.update("jax_cpu_collectives_implementation", "gloo")
  # It would swallow SIGTERM, which is ours to see (lm_jax/interruption.py).
  jax.config.update("jax_enable_preemption_service", False)
  # jax's own timeout aborts the process with a stack of C++.
  alarm = threading.Timer(cluster.timeout, _nobody_came, [cluster])
  alarm.daemon = True
  alarm.start()
  try:
    jax.distributed.initialize(
      cluster.coordinator,
      cluster.num_processes,
      cluster.process_id,
      initialization_timeout=cluster.timeout + 60,
      heartbeat_timeout_seconds=HEARTBEAT,
    )
  except ValueError as error:
    raise UsageError(
      "--distributed: no cluster was found (SLURM, GKE, TPU, MPI:"
      f" {error}); name it by --coordinator=HOST:PORT --num_processes=N"
      " --process_id=I"
    ) from error
  finally:
    alarm.cancel()


def _nobody_came(cluster: Cluster) -> NoReturn:
  where = f"--coordinator={cluster.coordinator}"
  if cluster.coordinator is None:
    where = "--distributed"
  count = cluster.num_processes
  print(
    f"lm_jax: {where}: not all {count or ''} processes met within"
    f" --join_timeout={cluster.timeout} s",
    file=sys.stderr,
    flush=True,
  )
  os._exit(2)


def _client() -> Any:
  # jax has no public door to its coordination service's store; orbax takes
  # this one, too.
  from jax._src import distributed

  return distributed.global_state.client


def _all_leave() -> bool:
  """Waits shortly for all the others to fail as well."""
  import jax

  try:
    _client().wait_at_barrier("lm_jax/leave", _GRACE * 1000)
  except jax.errors.JaxRuntimeError:
    return False
  return True


def _exit(error: BaseException) -> NoReturn:
  """Ends without jax's shutdown, which waits for the others."""
  import jax

  who = f"process {jax.process_index()} of {jax.process_count()}"
  code = 1
  if isinstance(error, UsageError):
    print(f"lm_jax: {who}: {error}", file=sys.stderr)
    code = 2
  elif isinstance(error, jax.errors.JaxRuntimeError):
    # A peer that dies shows as a broken connection.
    line = str(error).partition("\n")[0][:300]
    print(
      f"lm_jax: {who}: another process was lost, or the device failed"
      f" ({line}); the same command goes on from what is saved",
      file=sys.stderr,
    )
  elif isinstance(error, SystemExit) and isinstance(error.code, int):
    code = error.code
  else:
    traceback.print_exception(error)
    print(f"lm_jax: {who} failed alone and ends the others", file=sys.stderr)
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(code)


_stage = 0


def exchange(text: str) -> list[str]:
  """What each process gives here, in their order; waits for all of them."""
  if not active():
    return [text]
  import jax

  global _stage
  _stage += 1
  here = f"lm_jax/{_stage}"
  _client().key_value_set(f"{here}/{jax.process_index()}", text)
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
      return _client().blocking_key_value_get(key, _SLICE_MS)
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
  import pathlib
  import time
  import uuid

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
