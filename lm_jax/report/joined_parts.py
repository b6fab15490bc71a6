"""An experiment as a part of several that are joined, and its label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from lm_jax.report.collect import Experiment
from lm_jax.support.printable import escaped

# What checkpoints record of the data, by the settings that lead to it.
CORPUS, TOKENIZER = "data.corpus", "data.tokenizer"
DATA = (CORPUS, TOKENIZER, "data.packing")
_LONGEST = 40  # characters of a label


@dataclasses.dataclass(frozen=True)
class Part:
  """An experiment that is to be joined with others.

  configurations: by a run's name, a digest of its configuration without seeds;
    none of a run where it is not known.
  data: by a run's name, the fingerprints of its data, by DATA; as far as they
    are known.
  """

  experiment: Experiment
  configurations: Mapping[str, str]
  data: Mapping[str, Mapping[str, str]]

  def configuration(self, arm: str) -> str:
    """Returns the digest that all runs of an arm share; "" if unknown."""
    runs = self.experiment.runs_of(arm, done=False)
    known = {self.configurations.get(run.name, "") for run in runs}
    return known.pop() if len(known) == 1 else ""

  def fingerprints(self, path: str, arm: str = "") -> set[str]:
    """Returns the known fingerprints of an arm's data, or of all runs."""
    runs = self.experiment.runs
    return {
      self.data[run.name][path]
      for run in runs
      if arm in ("", run.arm) and path in self.data.get(run.name, {})
    }


def labels(experiments: Sequence[Experiment]) -> list[str]:
  """Returns a name for each experiment, no two alike."""
  names = [experiment.name for experiment in experiments]
  folders = [experiment.directory.resolve() for experiment in experiments]
  for candidates in (
    names,
    [folder.name for folder in folders],
    [f"{folder.parent.name}/{folder.name}" for folder in folders],
    [f"{name} {number}" for number, name in enumerate(names, 1)],
  ):
    short = [escaped(name)[:_LONGEST] for name in candidates]
    if all(short) and len(set(short)) == len(short):
      return short
  raise AssertionError("numbers differ")
