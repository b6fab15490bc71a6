"""Processes that meet, or say why not, each in a line."""

import socket
import threading

import apart
import pytest

from lm_jax.devices import rendezvous
from lm_jax.support.errors import UsageError


@pytest.fixture
def port():
  return apart.free_port()


def meet(port, *processes, timeout=10):
  """What each of some (number, count) says at last; "" where all is well."""
  said = [""] * len(processes)

  def one(index, number, count):
    try:
      rendezvous.meet(f"127.0.0.1:{port}", count, number, timeout)
    except UsageError as error:
      said[index] = str(error)

  threads = [
    threading.Thread(target=one, args=(index, *process))
    for index, process in enumerate(processes)
  ]
  for thread in threads:
    thread.start()
  for thread in threads:
    thread.join()
  return said


def test_those_that_fit_meet(port):
  assert meet(port, (2, 3), (0, 3), (1, 3)) == ["", "", ""]
  assert meet(port, (0, 1)) == [""]


def test_a_number_that_two_have(port):
  said = meet(port, (0, 3), (1, 3), (1, 3))
  assert said == ["--process_id=1: two processes have it"] * 3


def test_other_counts(port):
  line = "--num_processes: process 1 has 3, process 0 has 2"
  assert meet(port, (0, 2), (1, 3)) == [line] * 2


def test_a_port_of_another_program(port, monkeypatch):
  monkeypatch.setattr(rendezvous, "_FOREIGN", 0.3)
  with socket.create_server(("127.0.0.1", port)) as server:
    server.listen()

    def answer():
      for _ in range(99):
        try:
          other, _ = server.accept()
        except OSError:
          return
        with other:
          other.recv(100)
          other.sendall(b"220 mail\r\n")

    threading.Thread(target=answer, daemon=True).start()
    [said] = meet(port, (1, 2), timeout=5)
    assert "another program answers there" in said
    server.shutdown(socket.SHUT_RDWR)


def test_a_port_that_is_taken(port):
  ipv6 = socket.has_dualstack_ipv6()
  family = socket.AF_INET6 if ipv6 else socket.AF_INET
  with socket.create_server(("", port), family=family, dualstack_ipv6=ipv6):
    [said] = meet(port, (0, 2), timeout=5)
  assert "process 0 can't listen there: Address already in use" in said


def test_those_that_do_not_come(port):
  said = meet(port, (0, 2), timeout=0.3)
  assert "not all 2 processes met within --join_timeout=0.3 s" in said[0]
  said = meet(port, (1, 2), timeout=0.3)
  assert "not all 2 processes met within" in said[0]


def test_who_only_looks_for_open_ports_is_let_go(port):
  def knock():
    for _ in range(100):
      try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return
      except OSError:
        threading.Event().wait(0.02)

  knocking = threading.Thread(target=knock)
  knocking.start()
  host = threading.Thread(target=lambda: done.extend(meet(port, (0, 2))))
  done = []
  host.start()
  knocking.join()
  assert meet(port, (1, 2)) == [""]
  host.join()
  assert done == [""]
