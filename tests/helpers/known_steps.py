"""The loop of training, with a program whose every step is known."""

import itertools
import types

import jax.numpy as jnp
import numpy as np

from lm_jax.config.budget import Budget, Ledger
from lm_jax.training import counter, events, train
from lm_jax.training.plan import State
from lm_jax.training.terms import count_skipped

FLOPS, POSITIONS = 5, 3


class Metric:
  """An array on a device: notes when it is read."""

  def __init__(self, events, step, value):
    self._note = lambda: events.append(("read", step))
    self._value = value

  def __array__(self, dtype=None, copy=None):
    self._note()
    return np.asarray(self._value, dtype)


class FakeProgram:
  """Step k adds k to w, reads k tokens and predicts one target.

  losses, params: what steps give instead, by step. As the compiled step does,
  one whose loss is not finite leaves w alone.
  """

  flops, positions = FLOPS, POSITIONS
  at_start, warmup = False, 0.0

  def __init__(self, losses=None, params=None, during=None):
    self.events, self.fractions = [], []
    self.losses, self.params = losses or {}, params or {}
    self.during = during or (lambda step: None)

  def at(self, step):
    return self

  def compile(self):
    """Nothing is compiled."""

  def settled(self, state):
    return state

  def steps(self, budget, spent):
    return budget.steps(self.flops, self.positions, spent)

  def place_rows(self, rows):
    return rows

  def step(self, state, rows, fraction):
    k = int(state.step) + 1
    assert rows == k - 1, "rows of another step"
    self.events.append(("step", k))
    self.fractions.append(float(fraction))
    self.during(k)
    loss = self.losses.get(k, 1.0)
    finite = jnp.isfinite(loss)
    moved = state.params["w"] + k * finite
    new = State(
      params={"w": jnp.float32(self.params.get(k, moved))},
      optimizer=(),
      key=state.key,
      step=jnp.int32(k),
      tokens=counter.add(state.tokens, jnp.int32(k)),
      targets=counter.add(state.targets, jnp.int32(1)),
      skipped=count_skipped(state.skipped, finite),
    )
    values = {
      "loss": loss,
      "grad_norm": 1.0,
      "tokens": np.asarray(new.tokens),
      "targets": np.asarray(new.targets),
      "skipped": np.asarray(new.skipped),
    }
    return new, {n: Metric(self.events, k, v) for n, v in values.items()}


def initial():
  return State(
    {"w": jnp.float32(0)},
    (),
    jnp.zeros(2, jnp.uint32),
    jnp.int32(0),
    counter.zero(),
    counter.zero(),
    jnp.zeros(2, jnp.int32),
  )


def fit(
  budget,
  program=None,
  state=None,
  ledger=None,
  every=(1, 0, 0),
  evaluate=lambda state: {"held_out": 1.0},
  save=lambda *_: None,
):
  """Runs the loop; what it did."""
  program = program or FakeProgram()
  state, ledger = state or initial(), ledger or Ledger()
  out = types.SimpleNamespace(logged=[], evaluated=[], saved={})
  out.program, out.ledger = program, ledger

  def hook_evaluate(state):
    out.evaluated.append(int(state.step))
    return evaluate(state)

  def hook_save(state, ledger, values):
    spent = Ledger(**ledger.as_dict())
    out.saved[ledger.steps] = (state, spent, values)
    save(state, ledger, values)

  with train.Interruption() as interruption:
    out.status, out.state, out.error = train.fit(
      program,
      state,
      ledger,
      itertools.count(ledger.steps),
      Budget.parse(budget),
      events.Intervals(*every),
      events.Hooks(
        lambda step, values: out.logged.append((step, values)),
        hook_evaluate,
        hook_save,
      ),
      interruption,
      progress=False,
      epochs=0.25,
    )
  return out
