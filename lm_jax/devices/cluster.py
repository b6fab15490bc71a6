"""Joins processes into one run, and separates them at its end.

If a process dies or hangs, jax's coordination service aborts the others
HEARTBEAT seconds after its last sign of life.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from typing import NoReturn

from lm_jax.devices import distributed, rendezvous
from lm_jax.support.errors import UsageError, causes
from lm_jax.support.options import option, options

# Seconds after which a silent process counts as dead.
HEARTBEAT = 10
# Messages of Gloo, gRPC and jax's coordination service about a lost peer.
_BROKEN = re.compile(
  r"Gloo \w+ failed|Connection (reset|closed|refused)"
  r"|Socket closed|coordination service|heartbeat timeout"
  r"|another task died|UNAVAILABLE:|DEADLINE_EXCEEDED:"
)
# Seconds that a failing process waits for others to fail in the same way.
_GRACE = 3

_GROUP = "processes"


@dataclasses.dataclass(frozen=True)
class ClusterFlags:
  """Flags of a run that is computed by several processes."""

  distributed: bool = option(
    False,
    "this is one of several processes; SLURM, GKE, a TPU or MPI tells which",
    group=_GROUP,
  )
  coordinator: str = option(
    "",
    "HOST:PORT of process 0, where nothing tells; needs the next two",
    group=_GROUP,
  )
  num_processes: int = option(0, "how many processes", group=_GROUP)
  process_id: int = option(0, "which of them this is, from 0", group=_GROUP)
  join_timeout: int = option(
    300,
    "seconds to wait until all processes are there",
    least=1,
    group=_GROUP,
  )


FLAGS = options(ClusterFlags)


@dataclasses.dataclass(frozen=True)
class Cluster:
  """Address and size of a group of processes; jax detects what is None.

  coordinator: "HOST:PORT" of process 0.
  timeout: seconds until all must have joined.
  """

  coordinator: str | None = None
  num_processes: int | None = None
  process_id: int | None = None
  timeout: int = 300


def from_flags(given: Mapping[str, str]) -> Cluster | None:
  """Returns the cluster that flags describe, or None for a single process.

  Args:
    given: texts of flags by name; it may hold flags other than FLAGS.

  Raises:
    UsageError: a flag is out of range, or given without the others.
  """
  values = {
    name: FLAGS[name].parse(text)
    for name, text in given.items()
    if name in FLAGS
  }
  timeout = values.pop("join_timeout", FLAGS["join_timeout"].default)
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


@contextlib.contextmanager
def joined(cluster: Cluster | None) -> Iterator[None]:
  """Makes this process one of a cluster within the context; None: alone.

  Enter it before jax looks for devices. If all processes fail in the same way,
  each raises its exception. One that fails alone prints the reason and exits at
  once; else its peers would wait for it.

  Raises:
    UsageError: no cluster was found.
  """
  if cluster is None:
    yield
    return
  _keep_standard_output()
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


def _keep_standard_output() -> None:
  """Reserves standard output for Python; output of C++ goes to stderr.

  Gloo prints a line in every process whenever it has connected some.
  """
  out = sys.stdout
  if not isinstance(out, io.TextIOWrapper) or out.fileno() != 1:
    return  # closed, or somebody else's
  out.flush()
  sys.stdout = os.fdopen(
    os.dup(1),
    "w",
    encoding=out.encoding,
    errors=out.errors,
    buffering=1 if out.line_buffering else -1,
  )
  os.dup2(2, 1)


def _initialize(cluster: Cluster) -> None:
  import jax

  if cluster.coordinator is not None:
    assert cluster.num_processes is not None
    assert cluster.process_id is not None
    rendezvous.meet(
      cluster.coordinator,
      cluster.num_processes,
      cluster.process_id,
      cluster.timeout,
    )
  # Collectives between the CPUs of several processes; other devices have
  # their own.
  jax.config.update("jax_cpu_collectives_implementation", "gloo")
  # It would swallow SIGTERM, which lm_jax/training/interruption.py handles.
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


def _all_leave() -> bool:
  """Waits shortly for all other processes to fail as well."""
  import jax

  try:
    distributed.client().wait_at_barrier("lm_jax/leave", _GRACE * 1000)
  except jax.errors.JaxRuntimeError:
    return False
  return True


def _lost(error: BaseException) -> str:
  """Returns the message that a peer or the device is lost; "" for others.

  A broken connection raises jax's error, or any other error if orbax or a
  transfer ran into it.
  """
  import jax

  for each in causes(error):
    text = str(each)
    if isinstance(each, jax.errors.JaxRuntimeError) or _BROKEN.search(text):
      return text or type(each).__name__
  return ""


def _exit(error: BaseException) -> NoReturn:
  """Exits without jax's shutdown, which waits for the others."""
  import jax

  who = f"process {jax.process_index()} of {jax.process_count()}"
  code = 1
  if isinstance(error, UsageError):
    print(f"lm_jax: {who}: {error}", file=sys.stderr)
    code = 2
  elif isinstance(error, KeyboardInterrupt):
    print(
      f"lm_jax: {who}: interrupted; the same command goes on from what is"
      " saved",
      file=sys.stderr,
    )
    code = 75
  elif lost := _lost(error):
    line = " ".join(lost.split())[:300]
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
