"""Runs and experiments from Python: what `train` and `compare` do.

run = lm_jax.train(objective="mlm", size="nano", budget="flops:1e12")
run.load().score("The state of the Union is strong.")
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm_jax.api import keywords
from lm_jax.support import registry
from lm_jax.support.typed_json import as_kind

if TYPE_CHECKING:
  from matplotlib.figure import Figure

  from lm_jax.api.results import Results
  from lm_jax.language_model import LanguageModel


@dataclasses.dataclass(frozen=True)
class Run:
  """A run that was made, gone on with or found complete.

  directory: with config.json, metrics.jsonl, checkpoints and result.json.
  status: "done", "diverged", or "interrupted" (call again to go on).
  error: why it diverged; "" otherwise.
  step, parameters, digest: steps taken, parameters trained, and the digest of
    the last ones.
  ledger: what was spent, by currency.
  metrics: what was measured at the end, by name.
  """

  directory: str
  status: str
  error: str = ""
  step: int = 0
  parameters: int = 0
  digest: str = ""
  ledger: dict[str, float] = dataclasses.field(default_factory=dict)
  metrics: dict[str, float] = dataclasses.field(default_factory=dict)

  def load(self) -> LanguageModel:
    """Loads the model from its last intact checkpoint."""
    from lm_jax.api import model

    return model.load(self.directory)

  def history(self) -> list[dict[str, float]]:
    """The logged steps: an object for each line of metrics.jsonl.

    Without what an experiment has sealed that the run belongs to.
    """
    from lm_jax.report import collect

    path = pathlib.Path(self.directory, "metrics.jsonl")
    lines = map(json.loads, path.read_text("utf-8").splitlines())
    seal = collect.seal_of(self.directory)
    if seal is None:
      return list(lines)
    return [
      {name: value for name, value in line.items() if not seal.hides(name)}
      for line in lines
    ]


@dataclasses.dataclass(frozen=True)
class Experiment:
  """An experiment that was run, gone on with or found complete.

  directory: with runs/, results.csv and report.html.
  statuses: how each run ended, by name; none for those that were not begun,
    since it was interrupted (call again to go on).
  """

  directory: str
  statuses: Mapping[str, str]

  def results(self) -> Results:
    """Reads the results of its directory as tables (`lm_jax.results`)."""
    from lm_jax.api import results

    return results.results(self.directory)

  def plot(self, figure: str = "") -> Figure:
    """Plots the results of its directory (`lm_jax.plot`)."""
    from lm_jax.api import figures

    return figures.plot(self.directory, figure)

  def report(self) -> str:
    """The report as plain text, as the terminal shows it."""
    from lm_jax import report

    return report.table(self.directory)

  def load(self, name: str) -> LanguageModel:
    """The model of one of its runs, by name."""
    from lm_jax.api import model

    if name not in self.statuses:
      raise registry.unknown("load: name", name, self.statuses)
    return model.load(str(pathlib.Path(self.directory, "runs", name)))


def train(progress: bool = True, **options: Any) -> Run:
  """Trains a model as `launch.py train` does, with its checks and defaults.

  The same call again goes on from where it was, or reuses what is complete;
  a directory that holds another configuration is refused.

  Args:
    progress: whether to show how far it is.
    **options: the flags of `launch.py train --help`: objective="mlm",
      size="nano", length=128, batch_size=32, seed=0, budget="flops:1e12",
      model="runs/mlm" (to go on with), workdir="runs/mine", ...; options with
      a dot are dicts: objective_options={"rate": 0.3},
      optimizer={"learning_rate": 1e-3}, data={"corpus": "books/*.jsonl"},
      trunk={"layers": 3}, adapt={"method": "lora"}.

  Raises:
    UsageError: an option is unknown or impossible, or the directory is taken.
  """
  from lm_jax.commands import train as command

  given = keywords.flags("train", command.schema(), options)
  last = {path: texts[-1] for path, texts in given.items()}
  config, result = command.run(last, progress)
  return _run(config.workdir, result)


def finetune(progress: bool = True, **options: Any) -> Run:
  """Trains a model on a task's examples, as `launch.py finetune` does.

  Args:
    progress: whether to show how far it is.
    **options: the flags of `launch.py finetune --help` for one run:
      model="runs/mlm", task="sst2", task_data="data/sst2", epochs=3.0, ...;
      options with a dot as of `train`.

  Raises:
    UsageError: as `train`.
  """
  from lm_jax.commands import finetune as command
  from lm_jax.finetuning import recipe

  given = keywords.flags("finetune", recipe.schema(), options)
  last = {path: texts[-1] for path, texts in given.items()}
  config, result = command.run(last, progress)
  return _run(config.workdir, result)


def compare(progress: bool = True, **options: Any) -> Experiment:
  """Runs an experiment as `launch.py compare` does, and writes its report.

  A run that fails is recorded as failed, with its error; the others go on.

  Args:
    progress: whether to say how it goes.
    **options: the flags of `launch.py compare --help`:
      objectives=["mlm", "rtd"], or experiment="masking_rate"; seeds=5, or
      "parameters:3,order:3",
      baseline="mlm", workdir="runs/mine",
      sweep={"optimizer.learning_rate": [1e-3, 3e-3]} (all combinations are
      run), and what all arms share, as of `train`.

  Raises:
    UsageError: as `train`.
  """
  from lm_jax.commands import compare as command

  given = keywords.flags("compare", command.schema(), options)
  line = shlex.join(keywords.command_line("compare", given))
  directory, statuses, _ = command.run(given, line, progress)
  return Experiment(directory, statuses)


def _run(directory: str, result: Mapping[str, Any]) -> Run:
  from lm_jax.report import collect

  if seal := collect.seal_of(directory):
    result = seal.shown(result)
  there = {name: value for name, value in result.items() if value is not None}
  return as_kind(there | {"directory": directory}, Run, "result.json")
