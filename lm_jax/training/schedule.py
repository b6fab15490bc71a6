"""Computes learning rates from the spent share of the budget.

A step uses the schedule's rate at its start, as in Transformers and optax, or
at its end (`OptimizerOptions.rate_at`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp

from lm_jax.config.budget import Budget
from lm_jax.config.optimizer import START, OptimizerOptions
from lm_jax.training import counter
from lm_jax.types import Array

# Tolerance for rounding the steps of a warm-up to a whole number: 0.29 * 100 is
# 28.999999999999996.
_ROUNDING = 1e-6


def schedule(
  options: OptimizerOptions, steps: int | None = None
) -> Callable[[Array | float], Array]:
  """Returns the learning rate as a function of the spent share of the budget.

  With f the share, w `warmup`, p the peak and e = final * p, it is p f / w up
  to w; then, with t = (f - w) / (1 - w),
    cosine: e + (p - e) (1 + cos(pi t)) / 2 (Loshchilov and Hutter 2017, eq. 5)
    linear: p - (p - e) t
    wsd: p, and linearly to e over the last `decay` (Hu et al. 2024, section
      4.2; the linear form is Haegele et al. 2024, section 3)
    rsqrt: p sqrt(w / f) (Vaswani et al. 2017, eq. 3)
    constant: p
  By the share at their start, k / n, steps have the rates of Transformers'
  and optax's schedules of n steps: linear with e = 0 and no warm-up is
  p (n - k) / n at step k = 0, 1, ..., n - 1. By the share at their end,
  (k + 1) / n, no step has rate 0 but the last one, which has e.

  Args:
    options: of the optimizer.
    steps: of the run, if known. A single step has the peak. With the share at
      their start, the warm-up takes a whole number of steps, rounded down: a
      warm-up shorter than a step is ignored.

  Returns:
    A traceable function of a scalar, clipped to [0, 1], to a float32 scalar.
  """
  rate, warmup = _course(options), options.warmup
  if steps == 1:
    return lambda _: jnp.float32(options.learning_rate)
  if steps and options.rate_at == START:
    warmup = math.floor(warmup * steps + _ROUNDING) / steps
  return lambda fraction: rate(fraction, warmup)


def counted(
  options: OptimizerOptions,
) -> Callable[[Array, Array], Array]:
  """Returns the learning rate for steps whose cost is known only afterwards.

  Returns:
    A traceable function of the shares of the budget spent before the step
    and after it. A step that takes the whole budget has the peak, and a
    warm-up shorter than the step is ignored.
  """
  rate = _course(options)

  def learning_rate(before: Array, after: Array) -> Array:
    if options.rate_at == START:
      short = options.warmup < after - before
      return rate(before, jnp.where(short, 0.0, options.warmup))
    whole = (before == 0) & (after >= 1)
    usual = rate(after, options.warmup)
    return jnp.where(whole, jnp.float32(options.learning_rate), usual)

  return learning_rate


def rate_of_step(
  options: OptimizerOptions,
  budget: Budget,
  cost: Mapping[str, int],
  fraction: Array,
  counters: Mapping[str, tuple[Array, Array]],
  course: tuple[float, float] = (0.0, 1.0),
) -> Array:
  """Computes the learning rate of a step.

  Args:
    options, budget: of the run.
    cost: of a step, by the currencies in which it is known.
    fraction: of the budget, if the host knows it.
    counters: before and after the step, by currency.
    course: where in the budget the schedule begins and ends.
  """
  if budget.currency in counters:
    shares = [
      follow(counter.share(x, int(budget.amount)), course)
      for x in counters[budget.currency]
    ]
    return counted(options)(*shares)
  steps = None
  if budget.currency in cost:
    amount = int(int(budget.amount) * (course[1] - course[0]))
    steps = max(1, amount // cost[budget.currency])
  return schedule(options, steps)(follow(fraction, course))


def spent_before(
  budget: Budget,
  fraction: Array,
  counters: Mapping[str, Array],
  course: tuple[float, float] = (0.0, 1.0),
) -> Array:
  """Computes the share of the budget before a step; see `rate_of_step`."""
  share = fraction
  if budget.currency in counters:
    share = counter.share(counters[budget.currency], int(budget.amount))
  return jnp.clip(follow(share, course), 0, 1)


def follow(share: Array, course: tuple[float, float]) -> Array:
  """Turns a share of the budget into one of a course over a part of it."""
  start, end = course
  if (start, end) == (0.0, 1.0):
    return share
  return jnp.clip((share - start) / (end - start), 0, 1)


def _course(options: OptimizerOptions) -> Callable[[Any, Any], Array]:
  """Returns the function (share, length of the warm-up) -> rate."""
  peak, final = options.learning_rate, options.final

  def after_warmup(f, warmup):
    t = (f - warmup) / (1 - warmup)
    match options.schedule:
      case "cosine":
        return final + (1 - final) * 0.5 * (1 + jnp.cos(jnp.pi * t))
      case "linear":
        # Rounding must not make a last learning rate of 0 negative.
        return jnp.maximum(1 - (1 - final) * t, final)
      case "wsd":
        left = jnp.minimum(1.0, (1 - f) / options.decay)
        return final + (1 - final) * left
      case "rsqrt":
        # The scale of time is that of the warm-up, which may be cut to none.
        scale = jnp.where(warmup > 0, warmup, options.warmup)
        return jnp.sqrt(scale / jnp.maximum(f, scale))
      case _:
        return jnp.ones_like(f)

  def rate(fraction, warmup):
    f = jnp.clip(jnp.asarray(fraction, jnp.float32), 0, 1)
    later = after_warmup(f, warmup)
    if isinstance(warmup, float) and not warmup:
      return peak * later
    ramp = f / (warmup if isinstance(warmup, float) else warmup + (warmup == 0))
    return peak * jnp.where(f < warmup, ramp, later)

  return rate
