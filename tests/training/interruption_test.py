import os
import signal
import subprocess
import sys
import threading

import pytest

from lm_jax.training.interruption import Interruption, caused


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


def test_hup_stays_ignored_where_it_is():
  """As `nohup` starts a process."""
  before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
  try:
    with Interruption(raises=True) as interruption:
      _send(signal.SIGHUP)
      assert not interruption.noted
  finally:
    signal.signal(signal.SIGHUP, before)


def _importing(tmp_path, body):
  """A process that sends itself a signal while it imports a module."""
  (tmp_path / "slow.py").write_text(body)
  code = """
import os, signal, sys
from lm_jax.training.interruption import Interruption
try:
  with Interruption(raises=True):
    import slow
    print("imported", flush=True)
    import time
    time.sleep(30)
except KeyboardInterrupt:
  print("raised", "slow" in sys.modules)
"""
  path = os.pathsep.join((str(tmp_path), *sys.path))
  return subprocess.run(
    [sys.executable, "-c", code],
    env=os.environ | {"PYTHONPATH": path},
    capture_output=True,
    text=True,
    check=False,
  )


SEND = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\n"


def test_an_import_is_not_disturbed(tmp_path):
  done = _importing(tmp_path, f"{SEND}time.sleep(0.1)")
  assert done.stdout.endswith("raised True\n") and not done.stderr


@pytest.mark.parametrize("more", ["", SEND])
def test_an_import_that_takes_long_or_is_interrupted_twice_ends(tmp_path, more):
  done = _importing(tmp_path, f"{SEND}{more}time.sleep(30)")
  assert done.returncode == 75 and not done.stdout
  assert done.stderr == "lm_jax: interrupted\n"


def test_what_a_library_makes_of_an_interruption_is_one():
  def fails():
    try:
      raise KeyboardInterrupt
    except KeyboardInterrupt as error:
      raise ImportError("while initializing") from error

  with pytest.raises(ImportError) as raised:
    fails()
  assert caused(raised.value)
  assert not caused(ImportError())
