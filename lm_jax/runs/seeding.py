"""The seeds of an experiment's runs: counted, crossed or nested.

"3": three seeds. "parameters:3,order:2": each of three seeds of the parameters
with each of two of the order, six runs an arm. "parameters:3/order:2": six as
well, each seed of the parameters with two of the order that no other has.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.seeds import KINDS
from lm_jax.support import registry
from lm_jax.support.errors import UsageError

MOST = 10_000  # runs of an arm
Chain = tuple[tuple[str, int], ...]


def parse(text: str, flag: str = "--seeds") -> int | tuple[Chain, ...]:
  """Reads a number of seeds, or the kinds that are crossed.

  Returns:
    the number; or for each factor the kinds that are nested in it, outermost
    first, with the number of seeds of each.

  Raises:
    UsageError: it is neither, an unknown kind, or one twice.
  """
  where = f"{flag}={text}"
  if ":" not in text:
    return _count(text, where)
  factors: list[Chain] = []
  for factor in text.split(","):
    chain = []
    for part in factor.split("/"):
      kind, _, number = part.strip().partition(":")
      if kind not in KINDS:
        raise registry.unknown(flag, kind, KINDS)
      chain.append((kind, _count(number, where)))
    factors.append(tuple(chain))
  kinds = [kind for chain in factors for kind, _ in chain]
  for kind in kinds:
    if kinds.count(kind) > 1:
      raise UsageError(f"{where}: {kind} twice; each kind has its seeds once")
  runs = math.prod(count for chain in factors for _, count in chain)
  if runs > MOST:
    raise UsageError(f"{where}: {runs} runs an arm; at most {MOST}")
  return tuple(factors)


def seeded(config: Config, seeds: int | tuple[Chain, ...]) -> Iterator[Config]:
  """Yields a configuration with each of its seeds, from its own on.

  Their `name` is that of the seeds alone: "seed0", "parameters0-order1".
  """
  if isinstance(seeds, int):
    for seed in range(config.seed, config.seed + seeds):
      yield dataclasses.replace(config, seed=seed, name=f"seed{seed}")
    return
  first = dataclasses.asdict(config_lib.seeds_of(config))
  for chains in itertools.product(*map(_offsets, seeds)):
    own = {
      kind: first[kind] + offset
      for chain in chains
      for kind, offset in chain.items()
    }
    name = "-".join(f"{kind}{seed}" for kind, seed in own.items())
    yield dataclasses.replace(config, seeds=first | own, name=name)


def _offsets(chain: Chain) -> Iterator[dict[str, int]]:
  """Yields what is added to the first seed of each kind of a chain."""
  for places in itertools.product(*(range(count) for _, count in chain)):
    number, offsets = 0, {}
    for (kind, count), place in zip(chain, places, strict=True):
      number = number * count + place
      offsets[kind] = number
    yield offsets


def _count(text: str, where: str) -> int:
  if not text.isascii() or not text.isdigit() or not 0 < int(text) <= MOST:
    raise UsageError(
      f"{where}: must be a number of seeds from 1 to {MOST}, or kinds of seeds"
      " that are crossed, parameters:3,order:3, or nested, parameters:3/order:2"
    )
  return int(text)
