"""Lines where there is no terminal, and their number."""

import io

import pytest

from lm_jax.training import progress
from lm_jax.training.progress import Progress


class Clock:
  def __init__(self):
    self.now = 100.0

  def monotonic(self):
    return self.now


@pytest.fixture
def clock(monkeypatch):
  made = Clock()
  monkeypatch.setattr(progress, "time", made)
  return made


def spent(step, tokens=0, seconds=0.0, **more):
  return {"steps": step, "tokens": tokens, "seconds": seconds, **more}


def test_a_line_tells_loss_speed_share_and_time_left(capsys, clock):
  shown = Progress("clm-seed0")
  shown.begin(0.5, spent(50, 1_000, 10.0))
  clock.now += 30
  shown.log(0.75, spent(75, 26_000, 20.0, skipped=2), {"loss": 2.5})
  clock.now += 1
  shown.log(0.76, spent(76, 26_000, 21.0), {"loss": 2.5})  # too soon
  shown.log(0.76, spent(76), {"validation_loss": 2.25, "dev_f1": 0.5})
  shown.log(1.0, spent(100, 51_000, 30.0, skipped=0), {"loss": 2.0})
  assert capsys.readouterr().err.splitlines() == [
    "clm-seed0: step 75, 75.0 %: loss 2.500, 2,500 tokens/s, 2 updates skipped,"
    " 30 s left",
    "clm-seed0: step 76, 76.0 %: validation_loss 2.25, dev_f1 0.5",
    "clm-seed0: step 100, 100.0 %: loss 2.000, 2,500 tokens/s",
  ]


@pytest.mark.parametrize(
  ("seconds", "most"), [(0.01, 51), (20 * 3600, 51 + 2400)]
)
def test_a_long_log_stays_short(seconds, most, capsys, clock):
  """Of 20,000 logged steps, in 0.01 s and in 20 hours."""
  shown = Progress("x")
  shown.begin(0.0, spent(0))
  for step in range(1, 20_001):
    clock.now += seconds / 20_000
    done = spent(step, step, clock.now - 100)
    shown.log(step / 20_000, done, {"loss": 1.0})
  lines = capsys.readouterr().err.splitlines()
  assert 50 <= len(lines) <= most
  assert "100.0 %" in lines[-1]


def test_nothing_is_said_where_nothing_is_asked(capsys, clock):
  shown = Progress("x", shown=False)
  shown.say("compiling")
  with shown.bar():
    shown.move(50)
    shown.log(1.0, spent(1, 1, 1.0), {"loss": 1.0})
  assert capsys.readouterr().err == ""


def test_on_a_terminal_a_bar_tells_the_same(monkeypatch, clock):
  terminal = io.StringIO()
  terminal.isatty = lambda: True
  monkeypatch.setattr("sys.stderr", terminal)
  shown = Progress("clm-seed0")
  shown.say("compiling")
  with shown.bar():
    shown.begin(0.0, spent(0))
    shown.move(50)
    shown.log(0.5, spent(5, 500, 2.0), {"loss": 2.5})
  text = terminal.getvalue()
  assert "clm-seed0  50%" in text and "loss 2.500, 250 tokens/s" in text
  assert "\n" not in text


@pytest.mark.parametrize(
  ("seconds", "text"), [(99, "99 s"), (100, "2 min"), (7200, "2.0 h")]
)
def test_duration(seconds, text):
  assert progress.duration(seconds) == text
