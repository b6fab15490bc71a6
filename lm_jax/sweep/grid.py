"""Arms crossed with swept values and seeds, each run under a name of its own.

A name is readable, unique and fit for a file: "mlm-rate=0.3-seed1".
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence

from lm_jax.command import settings as settings_lib
from lm_jax.config import Config
from lm_jax.errors import UsageError

_LONGEST = 200  # characters of an arm's name; "-seed123" and suffixes follow


def parse(sweeps: Sequence[str]) -> dict[str, list[str]]:
  """The swept values by path.

  Args:
    sweeps: each "path=v1,v2"; a value with a comma stands in double quotes.

  Raises:
    UsageError: no path, no value, or one of them twice.
  """
  found: dict[str, list[str]] = {}
  for text in sweeps:
    path, equals, rest = text.partition("=")
    values = next(csv.reader([rest], skipinitialspace=True), [])
    if not path or not equals or not all(values) or not values:
      raise UsageError(
        f"--sweep={text}: must be an option and its values,"
        " optimizer.learning_rate=1e-3,3e-3"
      )
    if path in found or len(set(values)) < len(values):
      raise UsageError(f"--sweep={text}: the same thing twice")
    found[path] = values
  return found


def cross(
  arms: Sequence[Config], sweeps: Mapping[str, Sequence[str]], seeds: int
) -> list[Config]:
  """Every arm with every combination of values, by every seed.

  The seeds of an arm are 0, 1, ... from its own on, and follow one another,
  so that what was compiled for the first serves the others.

  Args:
    arms: what an experiment compares; `arm` names them, the objective where
      that is empty.
    sweeps: values by path.
    seeds: how many, at least 1.

  Returns:
    Configurations with unique `name` and `arm`, without a workdir.

  Raises:
    UsageError: a value that does not fit, two runs that are the same.
  """
  if seeds < 1:
    raise UsageError(f"--seeds={seeds}: must be at least 1")
  for path in ("workdir", "name", "arm", "seed"):
    if path in sweeps:
      raise UsageError(f"--sweep={path}: can't be swept")
  labels = _labels(sweeps)
  runs: list[Config] = []
  for arm in arms:
    for values in itertools.product(*sweeps.values()):
      settings = dict(zip(sweeps, values, strict=True))
      parts = [arm.arm or arm.objective]
      parts += [f"{labels[p]}={v}" for p, v in settings.items()]
      label = safe("-".join(parts))
      changed = settings_lib.override(arm, settings)
      for seed in range(changed.seed, changed.seed + seeds):
        name = f"{label}-seed{seed}"
        runs.append(
          dataclasses.replace(changed, seed=seed, arm=label, name=name)
        )
  for one, other in itertools.combinations(runs, 2):
    if one.name == other.name:
      raise UsageError(f"--sweep: two runs would both be called {one.name}")
  return runs


def safe(text: str) -> str:
  """A text as a file name: other signs than A-Z a-z 0-9 . _ = + - become _.

  Of a very long one the end becomes a hash: file systems take 255 bytes.
  """
  name = re.sub(r"[^\w.=+-]+", "_", text, flags=re.ASCII).lstrip(".-") or "_"
  if len(name) <= _LONGEST:
    return name
  return (
    f"{name[: _LONGEST - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
  )


def _labels(paths: Mapping[str, object]) -> dict[str, str]:
  """The last part of each path, or all of it where two end alike."""
  last = {path: path.rpartition(".")[2] for path in paths}
  ends = list(last.values())
  return {p: p if ends.count(end) > 1 else end for p, end in last.items()}
