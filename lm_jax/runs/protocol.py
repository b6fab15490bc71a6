"""One protocol for all models: the same trials, steps, seeds and stopping.

For each model, task and method, every combination of the swept values is
tried with the first seed; the one that does best on the split to choose by is
run with the other seeds, too; the test split is told of those alone.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.config import ADAPTATIONS, Config
from lm_jax.examples import task_paths as places_lib
from lm_jax.finetuning import recipe as single
from lm_jax.runs import alike, record
from lm_jax.runs import sweeps as sweeps_lib
from lm_jax.support import file_names, registry, strict_json
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, option, options, texts_of_others
from lm_jax.support.options import read as read_flags
from lm_jax.support.status import DONE

FULL, PROMPT = "full", "prompt"
DEFAULT = "runs/protocol"
# Rates that suit models of all sizes here: small ones take the larger.
SWEEP = ("optimizer.learning_rate=5e-5,2e-4,1e-3",)
FILE = "protocol.json"
_GROUP = "protocol"


@dataclasses.dataclass(frozen=True)
class ProtocolFlags:
  """Flags that make `finetune` a protocol.

  settings: texts of further flags by path, which all runs share.
  """

  models: tuple[str, ...] = option(
    (),
    "arms of a protocol: run or Hugging Face directories, NAME=DIRECTORY to"
    " name one; an experiment's directory stands for all its arms, a seed's"
    " model for that seed of the fine-tuning",
    group=_GROUP,
    needed="with --tasks: directories of models",
  )
  tasks: tuple[str, ...] = option(
    (),
    "of the protocol: `list tasks`",
    group=_GROUP,
    needed="with --models: `list tasks`",
  )
  methods: tuple[str, ...] = option(
    (FULL,),
    f"{FULL}, {PROMPT} (nothing is trained: `evaluate --shots`), or any of"
    " `list adaptations`: lora, probe",
    group=_GROUP,
  )
  seeds: int = option(
    3, "of the setting that does best", least=1, most=1000, group=_GROUP
  )
  sweep: tuple[str, ...] = option(
    SWEEP,
    "an option and its values, or a range of them, 1e-5:1e-3:log:5, which all"
    " arms try alike, with the first seed; may be given several times",
    repeat=True,
    group=_GROUP,
  )
  baseline: str = option(
    "", "the model that others are compared with", group=_GROUP
  )
  shots: int = option(0, f"examples in the prompt of {PROMPT}", group=_GROUP)
  task_data: tuple[str, ...] = option(
    (),
    "local files of the task's examples, PATH_train.jsonl and so on, by"
    " default TFDS has them; of a protocol TASK=PATH, several times",
    repeat=True,
  )
  settings: Mapping[str, Sequence[str]] = texts_of_others()


def schema() -> dict[str, Option]:
  """Returns the flags that make `finetune` a protocol, by path."""
  return options(ProtocolFlags)


@dataclasses.dataclass(frozen=True)
class Arm:
  """A model under its name; of each seed, if pretraining had several."""

  name: str
  directories: tuple[str, ...]

  @property
  def resolved(self) -> list[pathlib.Path]:
    return [pathlib.Path(place).resolve() for place in self.directories]

  def of(self, seed: int) -> str:
    return self.directories[seed % len(self.directories)]


@dataclasses.dataclass(frozen=True)
class Cell:
  """The runs behind one entry of the table.

  trials: runs of the first seed, one for each combination of swept values.
  swept: those values of each trial, by path.
  """

  arm: Arm
  task: str
  method: str
  trials: tuple[Config, ...]
  swept: tuple[Mapping[str, str], ...]

  @property
  def name(self) -> str:
    return file_names.safe(f"{self.arm.name}-{self.task}-{self.method}")

  def values_of(self, trial: Config) -> Mapping[str, str]:
    """Returns the swept values of a trial."""
    return self.swept[self.trials.index(trial)]


@dataclasses.dataclass(frozen=True)
class Protocol:
  """A protocol that was checked; `shared` are texts of settings by path."""

  arms: tuple[Arm, ...]
  tasks: tuple[str, ...]
  methods: tuple[str, ...]
  seeds: int
  sweeps: Mapping[str, Sequence[str]]
  shared: Mapping[str, str]
  task_data: Mapping[str, str]
  baseline: str
  shots: int
  directory: str


def arms_of(names: Sequence[str]) -> tuple[Arm, ...]:
  """The models that --models names.

  Raises:
    UsageError: a name twice, no such directory, or an experiment without a
      model that is done.
  """
  arms: list[Arm] = []
  for text in names:
    label, equals, place = text.rpartition("=")
    path = pathlib.Path(place).expanduser()
    if not path.is_dir():
      raise UsageError(f"--models={text}: no such directory")
    if (path / record.FILE).exists():
      arms += _experiment(path, f"{label}/" if equals else "", text)
    else:
      arms.append(Arm(label or path.resolve().name, (str(path),)))
  for name, count in collections.Counter(arm.name for arm in arms).items():
    if count > 1:
      raise UsageError(
        f"--models: two are called {name}; NAME=DIRECTORY gives another name"
      )
  for one, other in itertools.combinations(arms, 2):
    if one.resolved == other.resolved:
      raise UsageError(
        f"--models: {one.name} and {other.name} are one and the same model"
      )
  return tuple(arms)


def _experiment(path: pathlib.Path, prefix: str, text: str) -> list[Arm]:
  by_arm: dict[str, list[tuple[int, str]]] = {}
  for run in record.read(str(path))[1]:
    directory = path / "runs" / run.name
    result = directory / "result.json"
    if result.exists() and strict_json.read(result).get("status") == DONE:
      by_arm.setdefault(run.arm, []).append((run.seed, str(directory)))
  if not by_arm:
    raise UsageError(f"--models={text}: the experiment has no run that is done")
  return [
    Arm(f"{prefix}{arm}", tuple(place for _, place in sorted(runs)))
    for arm, runs in by_arm.items()
  ]


def read(given: Mapping[str, Sequence[str]]) -> Protocol:
  """Reads a protocol from the texts of flags.

  Args:
    given: texts by path; those of `schema`, and settings that all runs share.

  Raises:
    UsageError: a flag is needed, out of range, or contradicts another.
  """
  flags = read_flags(ProtocolFlags, given)
  arms = arms_of(flags.models)
  methods = tuple(dict.fromkeys(flags.methods))
  valid = [FULL, PROMPT, *registry.names(ADAPTATIONS)]
  for method in methods:
    if method not in valid:
      raise registry.unknown("--methods", method, valid)
  if not methods:
    raise UsageError(f"--methods=: must name some of {', '.join(valid)}")
  baseline = flags.baseline or arms[0].name
  if baseline not in [arm.name for arm in arms]:
    raise registry.unknown("--baseline", baseline, [arm.name for arm in arms])
  tasks = tuple(dict.fromkeys(flags.tasks))
  shared = {path: texts[-1] for path, texts in flags.settings.items()}
  directory = shared.pop("workdir", DEFAULT)
  for path in ("model", "task", "seed", "adapt.method"):
    if path in shared:
      raise UsageError(
        f"--{path}={shared[path]}: a protocol has --models, --tasks, --seeds"
        " and --methods in its place"
      )
  if shared.get("eval", "all") != "all":
    raise UsageError(
      f"--eval={shared['eval']}: a protocol chooses by what is measured on the"
      " way, and compares what is measured at the end"
    )
  sweeps = sweeps_lib.by_path(sweeps_lib.parse(flags.sweep))
  for path in shared.keys() & sweeps.keys():
    if "sweep" in given:
      raise UsageError(
        f"--{path}={shared[path]}: --sweep={path} has values of its own; give"
        " one of the two"
      )
    del sweeps[path]
  return Protocol(
    *(arms, tasks, methods, flags.seeds),
    sweeps=sweeps,
    shared=shared,
    task_data=places_lib.read(flags.task_data, tasks),
    baseline=baseline,
    shots=flags.shots,
    directory=directory,
  )


def cells(protocol: Protocol) -> list[Cell]:
  """Every model with every task by every method that trains.

  Raises:
    UsageError: a combination is impossible, before anything is run.
  """
  return [
    _cell(protocol, arm, task, method)
    for arm, task, method in itertools.product(
      protocol.arms, protocol.tasks, protocol.methods
    )
    if method != PROMPT
  ]


def _cell(protocol: Protocol, arm: Arm, task: str, method: str) -> Cell:
  swept = tuple(
    dict(zip(protocol.sweeps, values, strict=True))
    for values in itertools.product(*protocol.sweeps.values())
  )
  trials = [_run(protocol, arm, task, method, x, seed=0) for x in swept]
  for one, other in itertools.combinations(trials, 2):
    if alike.key(one) == alike.key(other):
      raise UsageError(
        f"--sweep: {one.name} and {other.name} would be one and the same run"
      )
  return Cell(arm, task, method, tuple(trials), swept)


def _run(
  protocol: Protocol,
  arm: Arm,
  task: str,
  method: str,
  swept: Mapping[str, str],
  seed: int,
) -> Config:
  given = {**protocol.shared, **swept, "task": task, "model": arm.of(seed)}
  given["seed"] = str(seed)
  if task in protocol.task_data:
    given["task_data"] = protocol.task_data[task]
  if method != FULL:
    given["adapt.method"] = method
  label = "-".join(
    f"{path.rpartition('.')[2]}={text}" for path, text in swept.items()
  )
  parts = [arm.name, task, method, *([label] if label else [])]
  folder = pathlib.Path(protocol.directory, "runs")
  name = file_names.in_folder(folder, "-".join(parts) + f"-seed{seed}")
  return dataclasses.replace(
    single.configured(given),
    name=name,
    arm=file_names.safe(f"{arm.name}-{method}"),
    workdir=str(folder / name),
  )


def further(protocol: Protocol, cell: Cell, best: Config) -> list[Config]:
  """The best trial with the other seeds."""
  swept = cell.values_of(best)
  return [
    _run(protocol, cell.arm, cell.task, cell.method, swept, seed)
    for seed in range(1, protocol.seeds)
  ]


def best_trial(cell: Cell) -> Config | None:
  """The trial with the best value on the split to choose by; None if none is.

  The first of equal ones. One that diverged has no value.

  Raises:
    UsageError: the trials chose their checkpoints by different metrics, as
      those of an earlier version may have.
  """
  scored, metrics = [], {}
  for number, config in enumerate(cell.trials):
    path = pathlib.Path(config.workdir, "result.json")
    if not path.exists():  # interrupted before it
      continue
    scores = strict_json.read(path)
    curve = scores.get("selected", {}).get("curve", ())
    if scores.get("status") == DONE and curve:
      metrics[scores["selected"].get("metric")] = config.workdir
      scored.append((max(value for _, value in curve), -number))
  if len(metrics) > 1:
    names = ", ".join(f"{place} by {name}" for name, place in metrics.items())
    raise UsageError(
      f"{cell.name}: its trials chose their checkpoints by different metrics"
      f" ({names}): remove one of them to run it again"
    )
  return cell.trials[-max(scored)[1]] if scored else None
