"""Checks that processes fit together before jax joins them.

jax believes the flags: it aborts two processes with one number, after a minute
and in C++, and does not notice different counts. So process 0 listens on the
coordinator's port first, each other process sends its number and count, and all
learn whether these fit.
"""

from __future__ import annotations

import contextlib
import json
import socket
import time
from typing import Any

from lm_jax.support.errors import UsageError

_PAUSE, _HELLO = 0.2, 5.0  # seconds between tries, and to send one's number
_MOST = 10_000  # bytes of a line
_FOREIGN = 10.0  # seconds that another program may answer


def meet(where: str, count: int, number: int, timeout: float) -> None:
  """Waits until all processes have come and fit together.

  Args:
    where: "HOST:PORT" of process 0.
    count, number: number of processes, and number of this one.
    timeout: in seconds.

  Raises:
    UsageError: they don't fit, or don't all come in time, or another program
      uses the port.
  """
  deadline = time.monotonic() + timeout
  try:
    if number:
      _join(where, count, number, deadline)
    else:
      _host(where, count, deadline)
  except TimeoutError:
    raise UsageError(
      f"--coordinator={where}: not all {count} processes met within"
      f" --join_timeout={timeout:g} s"
    ) from None


def _host(where: str, count: int, deadline: float) -> None:
  port = int(where.rpartition(":")[2])
  ipv6 = socket.has_dualstack_ipv6()
  family = socket.AF_INET6 if ipv6 else socket.AF_INET
  try:
    server = socket.create_server(
      ("", port), family=family, dualstack_ipv6=ipv6
    )
  except OSError as error:
    raise UsageError(
      f"--coordinator={where}: process 0 can't listen there: {error.strerror};"
      " name another port, the same for all processes"
    ) from None
  with contextlib.ExitStack() as stack:
    stack.enter_context(server)
    others: dict[int, socket.socket] = {}
    while len(others) < count - 1:
      server.settimeout(_left(deadline))
      other = stack.enter_context(server.accept()[0])
      hello = _receive(other)
      number = hello and hello.get("number")
      if hello is None or type(number) is not int:
        continue  # of a program that looks for open ports
      problem = ""
      if hello.get("count") != count:
        problem = (
          f"--num_processes: process {number} has {hello.get('count')}, process"
          f" 0 has {count}"
        )
      elif number in others or number == 0:
        problem = f"--process_id={number}: two processes have it"
      if problem:
        for one in (*others.values(), other):
          _send(one, {"problem": problem})
        raise UsageError(problem)
      others[number] = other
    for one in others.values():
      _send(one, {})


def _join(where: str, count: int, number: int, deadline: float) -> None:
  host, _, port = where.rpartition(":")
  place = (host.strip("[]"), int(port))
  foreign = 0.0
  while True:
    left = _left(deadline)
    try:
      with socket.create_connection(place, min(left, _HELLO)) as server:
        _send(server, {"number": number, "count": count})
        server.settimeout(_left(deadline))
        answer = _receive(server)
    except TimeoutError:
      continue
    except OSError:  # process 0 is not there yet
      time.sleep(min(_PAUSE, left))
      continue
    if answer is None:
      # A run that was lost may still be about to end.
      foreign = foreign or time.monotonic() + _FOREIGN
      if time.monotonic() < foreign:
        time.sleep(min(_PAUSE, left))
        continue
      raise UsageError(
        f"--coordinator={where}: another program answers there, or the"
        " processes have met without this one"
      )
    if answer.get("problem"):
      raise UsageError(str(answer["problem"]))
    return


def _left(deadline: float) -> float:
  left = deadline - time.monotonic()
  if left <= 0:
    raise TimeoutError
  return left


def _send(other: socket.socket, facts: dict[str, Any]) -> None:
  with contextlib.suppress(OSError):  # a lost peer receives nothing
    other.sendall(json.dumps({"lm_jax": 1, **facts}).encode() + b"\n")


def _receive(other: socket.socket) -> dict[str, Any] | None:
  """Receives a line of another process; None from other programs."""
  if other.gettimeout() is None:
    other.settimeout(_HELLO)
  with other.makefile("rb") as file:
    try:
      facts = json.loads(file.readline(_MOST))
    except (OSError, ValueError):
      return None
  valid = isinstance(facts, dict) and facts.get("lm_jax") == 1
  return facts if valid else None
