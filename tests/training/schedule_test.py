"""Learning rates: by hand, and against Transformers and optax."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lm_jax.config.optimizer import OptimizerOptions
from lm_jax.training import schedule

N, WARMUP, PEAK, FINAL = 20, 4, 2.0, 0.1


def _options(name, **fields):
  fields = {"learning_rate": PEAK, "warmup": WARMUP / N, **fields}
  return OptimizerOptions(schedule=name, rate_at="start", **fields)


def _rates(options, n=N):
  """Of all steps of a run of n steps."""
  rate = schedule.schedule(options, n)
  shift = options.rate_at != "start"
  return [float(rate((k + shift) / n)) for k in range(n)]


@pytest.mark.parametrize(
  ("name", "points"),
  [
    ("cosine", {0.05: 1.0, 0.1: 2.0, 0.325: 0.2 + 1.8 * 0.8535534, 1: 0.2}),
    ("linear", {0.05: 1.0, 0.55: 1.1, 1: 0.2, 1.7: 0.2}),
    ("wsd", {0.05: 1.0, 0.2: 2.0, 0.8: 2.0, 0.9: 1.1, 1: 0.2}),
    ("rsqrt", {0.05: 1.0, 0.1: 2.0, 0.4: 1.0, 0.9: 2 / 3}),
    ("constant", {-1: 0.0, 0.05: 1.0, 0.1: 2.0, 1: 2.0}),
  ],
)
def test_schedules_at_points_worked_by_hand(name, points):
  options = OptimizerOptions(schedule=name, learning_rate=2.0, warmup=0.1)
  rate = jax.jit(schedule.schedule(options))
  for fraction, expected in points.items():
    assert rate(fraction) == pytest.approx(expected, rel=1e-5), fraction
  assert rate(0.5).dtype == jnp.float32


def test_no_warm_up_starts_at_the_peak():
  for name in ("cosine", "linear", "wsd", "constant"):
    options = OptimizerOptions(schedule=name, warmup=0.0)
    assert schedule.schedule(options)(0.0) == pytest.approx(1e-3)


@pytest.mark.parametrize(
  ("name", "fields", "peer"),
  [
    ("linear", {"final": 0.0}, ("get_linear_schedule_with_warmup", {})),
    ("cosine", {"final": 0.0}, ("get_cosine_schedule_with_warmup", {})),
    (
      "cosine",
      {"final": FINAL},
      ("get_cosine_with_min_lr_schedule_with_warmup", {"min_lr_rate": FINAL}),
    ),
    (
      "wsd",
      {"final": FINAL, "decay": 0.3},
      (
        "get_wsd_schedule",
        {
          "num_decay_steps": 6,
          "min_lr_ratio": FINAL,
          "decay_type": "linear",
        },
      ),
    ),
    (
      "wsd",
      {"final": 0.0, "decay": 0.3},
      ("get_wsd_schedule", {"num_decay_steps": 6, "decay_type": "linear"}),
    ),
    ("rsqrt", {}, ("get_inverse_sqrt_schedule", {})),
    ("constant", {}, ("get_constant_schedule_with_warmup", {})),
  ],
)
@pytest.mark.parity
def test_a_run_has_the_rates_of_transformers(name, fields, peer):
  torch = pytest.importorskip("torch")
  from transformers import optimization

  function, arguments = peer
  optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=PEAK)
  arguments = {"num_warmup_steps": WARMUP, **arguments}
  if name not in ("rsqrt", "constant"):
    arguments["num_training_steps"] = N
  scheduler = getattr(optimization, function)(optimizer, **arguments)
  expected = []
  for _ in range(N):
    expected.append(scheduler.get_last_lr()[0])
    optimizer.step()
    scheduler.step()
  found = _rates(_options(name, **fields))
  # Its wsd warms up from the last rate; ours from 0, as MiniCPM's.
  first = WARMUP if arguments.get("min_lr_ratio") else 0
  np.testing.assert_allclose(
    found[first:], expected[first:], rtol=1e-5, atol=1e-6
  )


def test_a_run_has_the_rates_of_optax():
  end = FINAL * PEAK
  rest = N - WARMUP
  warm = optax.linear_schedule(0.0, PEAK, WARMUP)
  peers = {
    "linear": optax.linear_schedule(PEAK, end, rest),
    "cosine": optax.cosine_decay_schedule(PEAK, rest, FINAL),
    "constant": optax.constant_schedule(PEAK),
  }
  for name, later in peers.items():
    peer = optax.join_schedules([warm, later], [WARMUP])
    found = _rates(_options(name, final=FINAL))
    expected = [float(peer(k)) for k in range(N)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 29, 100])
def test_the_linear_schedule_is_transformers_for_every_number_of_steps(n):
  """(n - k) / (n - w) after a warm-up of w whole steps, k / w in it."""
  for share in (0.0, 0.1, 0.29):
    w = math.floor(share * n + 1e-9)
    expected = [
      k / w if k < w else (n - k) / (n - w) if n > 1 else 1.0 for k in range(n)
    ]
    options = _options("linear", warmup=share, final=0.0, learning_rate=1.0)
    np.testing.assert_allclose(_rates(options, n), expected, rtol=2e-5)


NAMES = ("cosine", "linear", "wsd", "rsqrt", "constant")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate_at", ["", "start", "end"])
def test_a_single_step_has_the_peak_and_the_first_of_two_moves(name, rate_at):
  for warmup in (0.05, 0.3):
    options = _options(name, warmup=warmup, final=0.0)
    options = OptimizerOptions(**{**vars(options), "rate_at": rate_at})
    assert _rates(options, 1) == [PEAK]
    first, last = _rates(options, 2)
    assert first > 0.3 * PEAK
    if rate_at == "start":
      assert last > 0.2 * PEAK


@pytest.mark.parametrize("name", NAMES)
def test_steps_that_are_counted_have_the_rates_of_steps_that_are_known(name):
  """The device learns a step's cost when it takes it."""
  for rate_at in ("start", "end"):
    options = _options(name, final=0.0)
    options = OptimizerOptions(**{**vars(options), "rate_at": rate_at})
    rate = jax.jit(schedule.counted(options))
    found = [float(rate(k / N, (k + 1) / N)) for k in range(N)]
    np.testing.assert_allclose(found, _rates(options), rtol=1e-5, atol=1e-6)
    # One step takes all, and more; then two of which the second overshoots.
    assert float(rate(0.0, 1.7)) == pytest.approx(PEAK)
    assert float(rate(0.0, 0.6)) > 0.4 * PEAK
    if rate_at == "start":
      assert float(rate(0.6, 1.2)) > 0.2 * PEAK


def test_a_rate_is_a_float32_scalar_wherever_it_comes_from():
  options = _options("linear", final=0.0)
  for rate in (
    schedule.schedule(options, 1),
    schedule.schedule(options, N),
    functools.partial(schedule.counted(options), 0.3),
  ):
    found = jax.jit(rate)(jnp.float32(0.5))
    assert found.dtype == jnp.float32
    assert found.shape == ()
