"""Writes a configuration as the flags of `train` that make it."""

from __future__ import annotations

import functools
from typing import Any

from lm_jax.config.budget import Budget
from lm_jax.config.parts import given, resolve
from lm_jax.config.run import METHOD, Config
from lm_jax.support.values import show

# Always there, so that a command says what it is.
_ALWAYS = ("objective", "size", "budget", "seed")
# Those that others follow from.
_NAMED = ("architecture", "phases", "model", "trunk.preset", "adapt.method")
# What `train` names itself, or takes from --model.
_OWN = ("name", "arm", "family", "heads", "allow_change")


def as_flags(config: Config) -> list[str]:
  """Returns the flags whose run has this configuration: "--objective=mlm".

  Options that are as by default, for this objective and size, are left out;
  --workdir is the last.
  """
  resolved = resolve(config)
  own = given(resolved)
  usual = _usual(
    *(config.objective, config.architecture, config.size, resolved.phases),
    *(config.model, config.trunk.get("preset", "")),
    config.adapt.get(METHOD, ""),
  )
  flags: dict[str, Any] = {}
  for path, value in own.items():
    same = path in usual and value == usual[path]
    if path in _OWN or (same and path not in (*_ALWAYS, *_NAMED)):
      continue
    if path in _NAMED and value in ("", None):
      continue
    flags[path] = value
  if config.phases:  # which name the objectives
    del flags["objective"]
    flags.pop("architecture", None)
  elif not config.architecture:
    flags.pop("architecture", None)  # the natural one
  if "trunk.preset" in flags:
    del flags["size"]  # A flag would mean the preset at that size.
  flags["budget"] = _short(config.budget)
  place = flags.pop("workdir", "")
  words = [f"--{path}={show(value)}" for path, value in flags.items()]
  return [*words, f"--workdir={place}"] if place else words


@functools.lru_cache(maxsize=8)  # The runs of an experiment share it.
def _usual(
  objective: str,
  architecture: Any,
  size: str,
  phases: str,
  model: str,
  preset: str,
  method: str,
) -> dict[str, Any]:
  """Returns all settings of a run for which no more than these is given."""
  config = Config(
    objective=objective,
    architecture=architecture,
    size=size,
    phases=phases,
    model=model,
    trunk={"preset": preset} if preset else {},
    adapt={METHOD: method} if method else {},
  )
  return given(resolve(config))


def _short(text: str) -> str:
  """Writes a budget in few digits, where these say it exactly."""
  budget = Budget.parse(text)
  amount = f"{budget.amount:g}"
  exact = float(amount) == budget.amount
  return f"{budget.currency}:{amount}" if exact else str(budget)
