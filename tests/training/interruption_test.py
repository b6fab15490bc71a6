import os
import signal
import subprocess
import sys
import threading

import pytest

from lm_jax.training.interruption import Interruption


def _send(number=signal.SIGTERM):
  os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", Interruption.SIGNALS)
def test_where_nothing_is_to_be_saved_the_first_one_raises(number):
  handler = signal.getsignal(number)
  with Interruption(raises=True) as interruption:
    with pytest.raises(KeyboardInterrupt):
      _send(number)
    assert interruption.noted
    # What is being tidied up meanwhile is not disturbed by the next.
    _send(signal.SIGTERM)
    _send(signal.SIGUSR2)
    with pytest.raises(KeyboardInterrupt):
      _send(signal.SIGINT)
  assert signal.getsignal(number) == handler


def test_within_one_that_raises_another_notes_and_both_know():
  with Interruption(raises=True) as outer:
    with Interruption() as inner:
      _send()
      assert inner.noted and not outer.noted
    assert outer.noted
    _send()  # It is not the first.
    with Interruption() as later:
      assert later.noted


def test_what_was_noted_outside_is_known_inside():
  # Where an exception is swallowed (a destructor), the signal isn't.
  with Interruption(raises=True):
    with pytest.raises(KeyboardInterrupt):
      _send()
    with Interruption() as inner:
      assert inner.noted


def test_at_the_end_they_are_ignored():
  code = """
import os, signal
from lm_jax.training.interruption import Interruption
with Interruption(raises=True) as interruption:
  interruption.ignore()
  for number in Interruption.SIGNALS:
    os.kill(os.getpid(), number)
for number in Interruption.SIGNALS:
  os.kill(os.getpid(), number)
raise SystemExit(7)
"""
  done = subprocess.run([sys.executable, "-c", code], check=False)
  assert done.returncode == 7


def test_another_thread_has_no_signals():
  noted = []

  def work():
    with Interruption() as interruption:
      noted.append(interruption.noted)

  thread = threading.Thread(target=work)
  thread.start()
  thread.join()
  assert noted == [False]
