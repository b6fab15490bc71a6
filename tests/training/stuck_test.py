"""A main thread that waits in C, where no signal is handled."""

import signal
import subprocess
import sys
import time

import pytest

# The C library waits for itself; GNU's own lock, not Python's, so that no
# signal interrupts it.
PROGRAM = """
import ctypes, sys
from lm_jax.training import stuck
from lm_jax.training.interruption import Interruption
stuck.PATIENCE = 1.0
stuck._SLACK = 0.05
library = ctypes.CDLL(None)
lock = ctypes.create_string_buffer(64)
with Interruption() as interruption, stuck.Watch():
  library.pthread_mutex_lock(lock)
  print("here", flush=True)
  if sys.argv[1] == "stuck":
    library.pthread_mutex_lock(lock)
  for _ in sys.stdin:
    print(interruption.noted, flush=True)
print("out", flush=True)
"""


def start(how):
  process = subprocess.Popen(
    [sys.executable, "-c", PROGRAM, how],
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  assert process.stdout.readline() == "here\n"
  return process


@pytest.mark.skipif(sys.platform != "linux", reason="needs pthreads of glibc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_stuck_process_and_no_other(number):
  with start("stuck") as stuck, start("awake") as awake:
    try:
      stuck.send_signal(signal.SIGUSR1)  # counts for nothing
      for process in (stuck, awake):
        process.send_signal(number)
      stuck.send_signal(number)  # at once, as schedulers do: ends nothing
      time.sleep(1.5)
      assert stuck.poll() is None
      stuck.send_signal(number)
      awake.send_signal(signal.SIGTERM)
      assert stuck.wait(60) == 128 + number
      assert "did not answer the first" in stuck.stderr.read()
      out, err = awake.communicate("x\n", timeout=60)
      assert out == "True\nout\n" and not err
      assert awake.returncode == 0
    finally:
      for process in (stuck, awake):
        process.kill()


CHAT = """
import os, signal, time
from lm_jax.apps.chat.terminal import Cancelled, Interrupt
from lm_jax.training import stuck
stuck.PATIENCE = 0.2
stuck._SLACK = 0.05
with stuck.Watch(), Interrupt() as interrupt:
  with interrupt.answering():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
  for _ in range(3):
    time.sleep(0.5)
    try:
      os.kill(os.getpid(), signal.SIGINT)
      time.sleep(5)
    except Cancelled:
      print("cancelled", flush=True)
  time.sleep(0.3)
"""


def test_ctrl_c_may_be_pressed_often_in_a_chat():
  done = subprocess.run(
    [sys.executable, "-c", CHAT], capture_output=True, text=True, timeout=60
  )
  assert (done.returncode, done.stderr) == (0, "")
  assert done.stdout == "cancelled\n" * 3
