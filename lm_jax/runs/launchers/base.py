"""Says what a launcher is: it carries out the runs of an experiment somewhere.

A launcher is a file of this folder with one subclass of `Launcher`, whose
fields are flags: `--slurm.partition`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lm_jax import config as config_lib

if TYPE_CHECKING:
  from lm_jax.config import Config
  from lm_jax.runs.attempt import Runnable


@dataclasses.dataclass(frozen=True)
class Batch:
  """Runs that are to be carried out.

  directory: of the experiment.
  runs: those that are not complete, each with a workdir of its own.
  parallel: most runs at a time; 0 leaves it to the launcher.
  threads: of XLA's pool in each process. The bits of a run depend on it, so
    that it is the same for all launchers.
  progress: whether to say anything, on stderr.
  """

  directory: str
  runs: Sequence[Runnable]
  parallel: int
  threads: int
  progress: bool


@dataclasses.dataclass(frozen=True)
class Launcher:
  """Carries out runs.

  waits: whether `launch` returns when the runs have ended.
  """

  waits = True

  def check(self, batch: Batch) -> None:
    """Raises UsageError if it can't be used; nothing has been made."""

  def launch(self, batch: Batch) -> dict[str, str]:
    """Carries the runs out.

    Returns:
      The status of each run by name; none for those that have not ended.
    """
    raise NotImplementedError


def as_json(config: Config) -> str:
  """Returns a configuration for another process, every default written out.

  What is left out of a file is read as it was before there was the option, and
  not as its default.
  """
  return config_lib.to_json(config_lib.resolve(config))
