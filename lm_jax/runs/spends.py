"""The spends at which the arms of an experiment can be compared.

In each currency that is the least which an arm spends in all. An arm that goes
on beyond it gets a branch that ends there (--branches=auto). FLOPs and
positions of a step are static, tokens and targets follow from the rows; seconds
are those of a short pilot, kept in the experiment's directory, so that the same
command again has the same branches.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lm_jax import config as config_lib
from lm_jax.config import Config
from lm_jax.config.branches import AUTO
from lm_jax.runs import pilot
from lm_jax.storage import identity
from lm_jax.storage.log import write_atomically
from lm_jax.support.typed_json import read_as

FILE = "branches.json"
# Those of exact cost first: of several branches at about one step it is kept.
CURRENCIES = ("flops", "positions", "tokens", "targets")
# Branches of an arm that end closer to one another are one, and an arm that
# ends as close to a spend needs none: half of what a ranking counts as equal.
_NEAR = 0.01
# Of the seconds of the shortest arm: a clock is never exact, so that no arm may
# end before, and a branch costs the more the later it ends.
_SECONDS = 0.6


def is_open(config: Config) -> bool:
  """Returns whether the branches of a run are still to be worked out."""
  return config.branches.strip() == AUTO


def recall(directory: str, configs: Sequence[Config]) -> list[Config]:
  """Fills in the branches that an earlier call has worked out.

  Those of a run that is there already, made here or elsewhere, are its own. An
  arm alone has none.
  """
  if len({config.arm for config in configs}) < 2:
    return [
      dataclasses.replace(c, branches="") if is_open(c) else c for c in configs
    ]
  known = _read(directory)
  filled = []
  for config in configs:
    if is_open(config):
      one = known.get(config.arm)
      if Path(config.workdir, "config.json").exists():
        old = config_lib.read(config.workdir, "--workdir")
        config = dataclasses.replace(config, branches=old.branches)
      elif one is not None and one.of == _of(config):
        config = dataclasses.replace(config, branches=one.branches)
    filled.append(config)
  return filled


@dataclasses.dataclass(frozen=True)
class _Kept:
  """An arm in branches.json.

  of: its fingerprint.
  branches: as --branches has them.
  steps: of a run in all.
  step: the cost of one, by currency.
  """

  of: str
  branches: str = ""
  steps: float = 0.0
  step: dict[str, float] = dataclasses.field(default_factory=dict)


def _read(directory: str) -> dict[str, _Kept]:
  path = Path(directory, FILE)
  return read_as(path, dict[str, _Kept]) if path.exists() else {}


def resolve(
  directory: str, configs: Sequence[Config], progress: bool = True
) -> list[Config]:
  """Works out the branches of all runs that leave them open, and keeps them.

  The programs that the pilot compiles are those that the runs need. Arms of
  former calls keep their branches, whose spends an added arm gets, too.
  """
  own = {config.arm: config for config in reversed(configs)}
  kept = {
    arm: one
    for arm, one in _read(directory).items()
    if arm not in own or one.of == _of(own[arm])
  }
  new = [arm for arm in own if arm not in kept]
  if all(map(_can_branch, own.values())):
    if progress:
      print(
        "lm_jax: a pilot times a few steps of each arm, for --branches=auto",
        file=sys.stderr,
      )
    former = {arm: one for arm, one in kept.items() if one.step and one.steps}
    arms = {
      arm: pilot.Arm(own[arm], former[arm].steps, former[arm].step)
      if arm in former
      else pilot.measure(own[arm])
      for arm in own
    }
    for arm, branches in work_out(arms, new).items():
      one = arms[arm]
      kept[arm] = _Kept(_of(own[arm]), branches, one.steps, dict(one.cost))
  else:
    kept |= {arm: _Kept(_of(own[arm])) for arm in new}
    if progress:
      print(
        "lm_jax: --branches=auto: no branches, for which every arm needs"
        " --optimizer.schedule=wsd, and no --curriculum or --phases; arms are"
        " ranked in the currencies only in which they end at one spend",
        file=sys.stderr,
      )
  content = {arm: dataclasses.asdict(one) for arm, one in kept.items()}
  text = json.dumps(content, indent=2) + "\n"
  write_atomically(Path(directory, FILE), text)
  return recall(directory, configs)


def work_out(
  arms: Mapping[str, pilot.Arm], new: Sequence[str] | None = None
) -> dict[str, str]:
  """Returns the branches of each arm, as --branches has them.

  Args:
    arms: all of them.
    new: those that need branches, at the spends of the others; by default all.
  """
  new = list(arms) if new is None else new
  # The spends stay where the branches of former arms stand.
  former = [one for arm, one in arms.items() if arm not in new]
  branches: dict[str, list[tuple[float, str]]] = {arm: [] for arm in new}
  for currency in (*CURRENCIES, "seconds"):
    spend = min(one.total(currency) for one in former or arms.values())
    if currency == "seconds":
      spend *= _SECONDS
    for arm in new:
      one = arms[arm]
      steps = spend / one.cost[currency]
      options = one.config.optimizer
      begins = (1 - options.decay) * steps
      if steps > one.steps * (1 - _NEAR):
        continue  # its end stands there, or before
      if begins < options.warmup * one.steps or steps < 2:
        continue  # the rank is left out, and the page says so
      if all(abs(steps - x) > _NEAR * steps for x, _ in branches[arm]):
        branches[arm].append((steps, _text(currency, spend)))
  return {arm: ",".join(x for _, x in own) for arm, own in branches.items()}


def _text(currency: str, spend: float) -> str:
  return (
    f"{currency}:{spend:.3g}"
    if currency == "seconds"
    else f"{currency}:{round(spend)}"
  )


def _can_branch(config: Config) -> bool:
  plain = not (config.curriculum or config.phases or config.adapt)
  return config.optimizer.schedule == "wsd" and plain


def _of(config: Config) -> str:
  """Identifies an arm, whatever its seed."""
  return identity.fingerprint(
    dataclasses.replace(config, seed=0, seeds={}, branches=AUTO)
  )
