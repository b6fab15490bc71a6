"""The loop, with a program of one parameter whose every step is known."""

import itertools
import math
import os
import signal
import types

import pytest
from known_steps import FLOPS, POSITIONS, FakeProgram, fit

from lm_jax.training import events, train


# Tokens read by k steps are k (k + 1) / 2.
@pytest.mark.parametrize(
  ("budget", "steps"),
  [
    ("steps:7", 7),
    (f"flops:{7 * FLOPS}", 7),
    (f"flops:{8 * FLOPS - 1}", 7),
    (f"positions:{8 * POSITIONS - 1}", 7),
    ("tokens:28", 7),
    ("tokens:27", 7),
    ("tokens:29", 8),
    ("targets:7", 7),
  ],
)
def test_where_a_budget_stops_and_what_the_ledger_says(budget, steps):
  out = fit(budget)
  assert out.status == train.DONE
  spent = out.ledger.as_dict()
  assert spent.pop("seconds") > 0
  assert spent == {
    "steps": steps,
    "tokens": steps * (steps + 1) // 2,
    "positions": steps * POSITIONS,
    "targets": steps,
    "flops": steps * FLOPS,
    "epochs": steps / 4,
  }
  assert float(out.state.params["w"]) == steps * (steps + 1) / 2
  # Every line has what was spent by then, and so has what is saved.
  lines = [values for _, values in out.logged if "loss" in values]
  assert [v["tokens"] for v in lines] == list(
    itertools.accumulate(range(1, steps + 1))
  )
  assert [v["flops"] for v in lines] == [FLOPS * k for k in range(1, steps + 1)]
  assert out.saved[steps][1] == out.ledger


@pytest.fixture
def take(monkeypatch):
  """A function that makes a clock of the test's go on."""
  now = [0.0]

  def take(seconds):
    now[0] += seconds
    return {}

  clock = types.SimpleNamespace(perf_counter=lambda: now[0])
  monkeypatch.setattr(events, "time", clock)
  return take


def test_a_budget_of_seconds_counts_training_only(take):
  """A step takes 1 s, an evaluation or a save 100 s."""
  out = fit(
    "seconds:15",
    program := FakeProgram(during=lambda step: take(1)),
    every=(1, 5, 5),
    evaluate=lambda state: take(100),
    save=lambda *_: take(100),
  )
  assert out.ledger.steps == out.ledger.seconds == 15
  assert program.fractions == sorted(program.fractions)
  assert program.fractions[-1] <= 1


def test_the_schedule_follows_the_budget():
  out = fit(f"flops:{4 * FLOPS}")
  assert out.program.fractions == [0.25, 0.5, 0.75, 1.0]


def test_a_step_may_read_the_schedule_at_its_start():
  program = FakeProgram()
  program.at_start = True
  out = fit(f"flops:{4 * FLOPS}", program)
  assert out.program.fractions == [0.0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("warmup", [0.0, 0.1])
def test_a_step_that_takes_all_of_the_time_is_not_the_only_one(take, warmup):
  """The first one of a warm-up by the clock has rate 0."""
  program = FakeProgram(during=lambda step: take(20))
  program.warmup = warmup
  out = fit("seconds:15", program)
  assert out.status == train.DONE
  # The second is at the peak, where the warm-up ends.
  expected = [0.0, warmup] if warmup else [0.0]
  assert program.fractions == pytest.approx(expected)


def test_metrics_are_read_a_step_late_and_only_where_they_are_logged():
  out = fit("steps:12", every=(5, 0, 0))
  logged = [step for step, values in out.logged if "loss" in values]
  assert logged == [5, 10, 12]
  assert {step for what, step in out.program.events if what == "read"} == {
    5,
    10,
    12,
  }
  for step in (5, 10):
    read = out.program.events.index(("read", step))
    assert out.program.events.index(("step", step + 1)) < read


def test_what_is_due_when():
  out = fit("steps:10", every=(4, 3, 5))
  assert [s for s, v in out.logged if "loss" in v] == [4, 8, 10]
  assert [s for s, v in out.logged if "held_out" in v] == [3, 6, 9, 10]
  assert out.evaluated == [3, 6, 9, 10]
  assert sorted(out.saved) == [5, 10]
  assert out.saved[5][2] == {}
  assert out.saved[10][2] == {"held_out": 1.0}
  steps = [step for step, _ in out.logged]
  assert steps == sorted(steps)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize(
  ("every", "where"),
  [
    ((1, 0, 1, 1), "losses"),
    ((100, 0, 7), "params"),
    ((100, 7, 0), "params"),
    ((1, 0, 6), "params"),
    ((100, 0, 0), "params"),
  ],
)
def test_nothing_is_saved_that_is_not_finite(bad, every, where):
  # Whatever is logged: a loss at step 6, or parameters that spoil what
  # follows although the loss was fine.
  out = fit("steps:10", FakeProgram(**{where: {6: bad}}), every=every)
  assert out.status == train.DIVERGED
  for state, _, _ in out.saved.values():
    assert math.isfinite(state.params["w"])
  # Tokens and targets were counted to the end.
  steps = out.ledger.steps
  assert out.ledger.tokens == steps * (steps + 1) // 2


def test_a_step_that_is_not_finite_is_skipped_and_counted():
  bad = dict.fromkeys((3, 4, 7, 10), math.nan)
  out = fit("steps:10", FakeProgram(losses=bad), every=(1, 0, 5, 3))
  assert out.status == train.DONE
  assert out.state.params["w"] == 55 - 3 - 4 - 7 - 10
  assert [v["skipped"] for _, v in out.logged if "loss" in v] == [
    *(0, 0, 1, 2, 2, 2, 3, 3, 3, 4)
  ]
  # What a skipped step read and cost was spent all the same.
  assert out.ledger.tokens == 55
  assert out.ledger.flops == 10 * FLOPS


@pytest.mark.parametrize("first", range(1, 9))
@pytest.mark.parametrize("every", [(1, 0, 0), (100, 0, 0), (3, 0, 2)])
def test_so_many_in_a_row_end_the_run(first, every):
  limit = 3
  losses = dict.fromkeys(range(first, 100), math.inf)
  program = FakeProgram(losses=losses)
  out = fit("steps:60", program, every=(*every, limit))
  assert out.status == train.DIVERGED
  # It is known a step late, unless the run has stopped for something else.
  assert first + limit - 1 <= out.ledger.steps <= first + limit
  last = first + limit - 1
  assert f"from step {first} to {last}" in out.error
  assert max(out.saved, default=0) < first + limit - 1


def test_a_row_that_ends_while_it_is_looked_at_was_one():
  out = fit("steps:9", FakeProgram(losses={4: math.nan}), every=(9, 0, 0, 1))
  assert out.status == train.DIVERGED
  assert out.error.endswith("from step 4 to 4 (--skip_limit=1)")


def test_a_row_of_skipped_steps_goes_on_where_it_was_interrupted():
  losses = dict.fromkeys((4, 5, 6, 7), math.nan)
  for stop, limit, status in ((5, 5, train.DONE), (5, 4, train.DIVERGED)):
    send = lambda k: k == stop and os.kill(os.getpid(), signal.SIGUSR1)  # noqa
    every = (1, 0, 0, limit)
    first = fit("steps:30", FakeProgram(losses, during=send), every=every)
    state, ledger, _ = first.saved[stop]
    assert state.skipped.tolist() == [2, 2]
    program = FakeProgram(losses)
    second = fit("steps:30", program, state, ledger, every=every)
    assert second.status == status
    assert second.ledger.steps == (30 if status == train.DONE else 8)


def test_what_is_skipped_is_looked_at_no_oftener_than_it_must():
  out = fit("steps:40", every=(100, 0, 0, 10))
  assert {step for what, step in out.program.events if what == "read"} == {
    *(10, 20, 30, 40)
  }


def test_parameters_lost_in_the_last_step_are_noticed():
  out = fit("steps:6", FakeProgram(params={6: math.inf}))
  assert out.status == train.DIVERGED
  assert out.saved == {}
  assert out.evaluated == []


def test_an_evaluation_that_is_not_finite_is_divergence():
  out = fit(
    "steps:6",
    every=(1, 4, 4),
    evaluate=lambda state: {"held_out": math.inf},
  )
  assert out.status == train.DIVERGED
  assert out.ledger.steps == 4
  assert out.saved == {}


@pytest.mark.parametrize("number", train.Interruption.SIGNALS)
def test_an_interrupted_run_is_saved_and_goes_on(number):
  handler = signal.getsignal(number)
  send = lambda step: step == 4 and os.kill(os.getpid(), number)  # noqa: E731
  first = fit("steps:9", FakeProgram(during=send), every=(3, 0, 0))
  assert signal.getsignal(number) == handler
  assert first.status == train.INTERRUPTED
  assert list(first.saved) == [4]
  state, ledger, _ = first.saved[4]
  second = fit("steps:9", state=state, ledger=ledger, every=(3, 0, 0))
  assert second.status == train.DONE
  whole = fit("steps:9", every=(3, 0, 0))
  assert second.state.params == whole.state.params

  def lines(*parts):
    return [(s, v | {"seconds": 0}) for p in parts for s, v in p.logged]

  assert lines(first, second) == lines(whole)


def test_a_signal_during_a_hook_loses_nothing():
  def send(*_):
    os.kill(os.getpid(), signal.SIGTERM)
    return {"held_out": 1.0}

  for hook in ({"evaluate": send}, {"save": send}):
    out = fit("steps:9", every=(1, 4, 4), **hook)
    assert out.status == train.INTERRUPTED
    assert list(out.saved) == [4]
  # In the last evaluation: what it found is saved with the state.
  out = fit("steps:9", evaluate=send)
  assert out.status == train.INTERRUPTED
  assert out.saved[9][2] == {"held_out": 1.0}
  again = fit("steps:9", state=out.saved[9][0], ledger=out.saved[9][1])
  assert again.status == train.DONE
  assert again.program.events == []


def test_only_a_second_interrupt_aborts():
  with train.Interruption() as interruption:
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    assert interruption.noted
    with pytest.raises(KeyboardInterrupt):
      os.kill(os.getpid(), signal.SIGINT)
