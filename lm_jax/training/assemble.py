"""Assembles the compiled program of a configuration and a tokenizer."""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import jax
from absl import logging

from lm_jax import config as config_lib
from lm_jax.config import Built, Config
from lm_jax.config import phases as phases_lib
from lm_jax.config.budget import Budget
from lm_jax.devices import program_cache, sharding
from lm_jax.models.network import Network
from lm_jax.support.errors import UsageError
from lm_jax.training.plan import Plan, abstract_rows, heads_of, trunks_of
from lm_jax.training.program import Program, compile_plan
from lm_jax.types import Spec, Specials


class Vocabulary(Protocol):
  """A tokenizer or a data set, as far as the network needs it."""

  vocabulary_size: int
  specials: Specials


def make_program(config: Config, vocabulary: Vocabulary) -> Program:
  """Compiles the functions of a configuration; equal ones share them.

  Raises:
    UsageError: the configuration is impossible.
  """
  trunk = config_lib.build(config).trunk
  is_cpu = jax.default_backend() == "cpu"
  if trunk.remat != "none" and not trunk.scan and is_cpu:
    logging.warning(
      "--trunk.remat=%s: saves nothing on a CPU without --trunk.scan=true:"
      " XLA computes the layers once all the same",
      trunk.remat,
    )
  return compile_plan(make_plan(config, vocabulary))


def make_plan(config: Config, vocabulary: Vocabulary) -> Plan:
  """Makes what a program is compiled for; compiles nothing.

  Raises:
    UsageError: the configuration is impossible.
  """
  configs = phases_lib.configs(config)
  if len(configs) == 1:
    return _make_plan(configs[0], vocabulary)
  # All have the table of positions for the longest streams.
  longest = max(
    _make_plan(one, vocabulary).main.max_positions for one in configs
  )
  plans = []
  courses = phases_lib.courses(config)
  for one, course in zip(configs, courses, strict=True):
    trunk = one.trunk | {"max_positions": longest}
    one = dataclasses.replace(one, trunk=trunk)
    plan = _make_plan(one, vocabulary)
    plans.append(dataclasses.replace(plan, course=course))
  return dataclasses.replace(plans[-1], phases=tuple(plans))


def check_phases(
  config: Config,
  length: int,
  batch_size: int,
  vocabulary: int,
  specials: Specials,
) -> None:
  """Raises UsageError where a phase can't have its batch or its tokens.

  Nor may phases need stacks or heads of one name and of different shapes.

  Args:
    config: of the run.
    length, batch_size: of the rows, which may be shorter than the run's.
    vocabulary: number of tokens, at the least.
    specials: of the tokenizer.
  """
  needed: dict[str, tuple[Any, str]] = {}
  for one in phases_lib.configs(config):
    built = config_lib.build(one)
    spec = Spec(built.trunk.architecture, length, vocabulary, specials)
    built.objective.check(spec, batch_size, one.accumulate)
    trunk = dataclasses.replace(built.trunk, architecture="encoder")
    parts = built.objective.stacks(trunk) | built.objective.heads(spec)
    for name, part in parts.items():
      other, owner = needed.setdefault(name, (part, one.objective))
      if other != part:
        raise UsageError(
          f"--phases={phases_lib.short(config)}: {owner} and {one.objective}"
          f" need {name!r} in different shapes"
        )


def _make_plan(config: Config, vocabulary: Vocabulary) -> Plan:
  """Makes the plan of a configuration without phases."""
  built = config_lib.build(config)
  spec = Spec(
    built.trunk.architecture,
    config.length,
    vocabulary.vocabulary_size,
    vocabulary.specials,
  )
  built.objective.check(spec, config.batch_size, config.accumulate)
  return Plan(
    objective=built.objective,
    network=make_network(built, spec),
    spec=spec,
    batch_size=config.batch_size,
    accumulate=config.accumulate,
    optimizer=config_lib.resolve(config).optimizer,
    budget=Budget.parse(config.budget),
    mesh=sharding.make_mesh(built.mesh),
  )


def make_network(built: Built, spec: Spec) -> Network:
  """Makes the objective's stacks and heads, for its longest stream."""
  longest = longest_stream(built, spec)
  trunk, adaptation = built.trunk, built.adaptation
  ahead = adaptation.ahead if adaptation else 0
  if trunk.vocabulary and trunk.vocabulary < spec.vocabulary:
    raise UsageError(
      f"--trunk.vocabulary={trunk.vocabulary}: the tokenizer has "
      f"{spec.vocabulary} tokens"
    )
  limit = max_positions(built, longest)
  if trunk.positions == "learned" and 0 < limit < longest + ahead:
    behind = ""
    if adaptation and ahead:
      behind = f" behind the {ahead} of --adapt.method={adaptation.name}"
    # If a row holds several texts, each has a share of its columns.
    share = max(spec.length // longest, 1)
    fits = spec.length - share * (longest + ahead - limit)
    hint = f"; --length={fits} would fit" if fits > 0 else ""
    if not adaptation:
      hint += f"{' and' if hint else ';'} --positions=interpolate makes more"
    raise UsageError(
      f"--length={spec.length}: its streams take {longest} positions{behind},"
      f" and --trunk.max_positions={limit}{hint}"
    )
  trunk = dataclasses.replace(
    trunk,
    vocabulary=trunk.vocabulary or spec.vocabulary,
    max_positions=limit or longest + ahead,
  )
  return Network(
    trunks_of(built.objective, trunk),
    heads_of(built.objective, spec),
    deterministic=False,
    adaptation=adaptation,
  )


def max_positions(built: Built, longest: int) -> int:
  """Rows of the table of positions; 0: as many as needed."""
  limit = built.trunk.max_positions
  return max(limit, longest) if limit and built.stretch else limit


def longest_stream(built: Built, spec: Spec) -> int:
  """Positions of the longest stream that the objective makes of a row."""
  problem = jax.eval_shape(
    lambda key, rows: built.objective.make(key, rows, spec),
    jax.random.key(0),
    abstract_rows(1, spec.length, built.objective.supervised),
  )
  streams = [problem.inputs, problem.source]
  present = [s for s in streams if s is not None]
  least = 0 if any(s.longest for s in present) else spec.length
  return max(least, *(s.positions for s in present))


def enable_compilation_cache(cache: str) -> None:
  """Keeps compiled programs beside the prepared data, for later runs."""
  from lm_jax.support import cache as cache_lib

  program_cache.enable(cache_lib.root(cache) / "xla")
