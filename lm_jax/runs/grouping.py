"""Divides runs into groups that take their steps together, where it is faster.

What was timed is kept in the experiment's directory: the same command again has
the same groups, on whose sizes the last bits of the results depend.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import jax

from lm_jax.runs import pilot
from lm_jax.runs.attempt import Runnable
from lm_jax.runs.launchers.base import Batch
from lm_jax.runs.together import can_run_together, without_seeds
from lm_jax.storage.log import write_atomically
from lm_jax.support.typed_json import read_as

FILE = "together.json"
# Most seeds that `auto` takes together.
_MOST = 8
# Of the time of single steps: less of a gain is not worth the compiling.
_WORTH = 0.9


@dataclasses.dataclass(frozen=True)
class _Timed:
  """Seconds of a step of a run, alone and in a group of a size.

  device: on which they were timed.
  """

  size: int
  device: str
  alone: float
  together: float


def groups(batch: Batch, most: int) -> list[list[Runnable]]:
  """Divides runs into groups, most of them of one run.

  Args:
    batch: the runs.
    most: runs of a group; 0: as many as there are, where a timing says that
      this is faster. On a CPU more seeds find no idle units and more data than
      the caches hold, so that nothing is timed there (docs/speed.md).
  """
  alone: list[list[Runnable]] = [[run] for run in batch.runs]
  if most == 1 or (not most and jax.default_backend() == "cpu"):
    return alone
  alike: dict[str, list[Runnable]] = {}
  for run in batch.runs:
    alike.setdefault(without_seeds(run.config), []).append(run)
  divided: list[list[Runnable]] = []
  for key, runs in alike.items():
    size = min(most or _MOST, len(runs))
    fits = can_run_together([run.config for run in runs])
    if fits and not most:
      fits = _is_faster(batch, key, runs, size)
    step = size if fits else 1
    divided += [runs[i : i + step] for i in range(0, len(runs), step)]
  return divided


def _is_faster(batch: Batch, key: str, runs: list[Runnable], size: int) -> bool:
  """Returns whether steps together take less time, timed once."""
  path = Path(batch.directory, FILE)
  known = read_as(path, dict[str, _Timed]) if path.exists() else {}
  device = jax.devices()[0].device_kind
  one = known.get(key)
  if one is None or one.device != device:
    if batch.progress:
      print(
        f"lm_jax: {runs[0].config.arm}: a few steps of one run are timed, and"
        f" of {size} together",
        file=sys.stderr,
      )
    alone, together = pilot.alone_and_together(runs[0].config, size)
    # JSON has no infinity.
    one = _Timed(size, device, alone, min(together, 1e9))
    known[key] = one
    content = {name: dataclasses.asdict(x) for name, x in known.items()}
    write_atomically(path, json.dumps(content, indent=2) + "\n")
  return one.together < _WORTH * one.alone
