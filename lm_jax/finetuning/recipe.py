"""`python launch.py finetune`: one run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from lm_jax import config as config_lib
from lm_jax.config import Config, overrides, phases
from lm_jax.inference import continued
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option
from lm_jax.tasks.base import LabelledTask, SupervisedTask

# What Devlin et al. 2019 fine-tuned with (appendix A.3); weight decay and
# clipping as in their code.
RATE = "optimizer.learning_rate"
RECIPE = {
  RATE: "5e-5",
  "optimizer.schedule": "linear",
  "optimizer.warmup": "0.1",
  "optimizer.final": "0",
  "optimizer.weight_decay": "0.01",
  "optimizer.beta2": "0.999",
}
NEW_RATE = "1e-3"  # of a model that starts from nothing
EPOCHS, EXAMPLES = 3.0, 32
CHOICE = "multiple_choice"
# Tokens of a text at most, unless --length or a model that reads less says so.
LENGTH = 128
_HIDDEN = (
  *("name", "arm", "family", "curriculum", "branches", "budget"),
  *("benchmark", "benchmark_data", "benchmark_limit", "link"),
  *phases.FLAGS,
)


def schema() -> dict[str, Option]:
  """The flags of one run."""
  known = config_lib.schema() | overrides.adaptation_flags()
  known |= overrides.objective_flags(supervised=True)
  for name in _HIDDEN:
    del known[name]
  del known["batch_size"]
  for path, text in RECIPE.items():
    default = known[path].parse(text)
    known[path] = dataclasses.replace(known[path], default=default)
  rate = known[RATE]
  help_line = f"{rate.help} {NEW_RATE} without --model."
  known[RATE] = dataclasses.replace(rate, help=help_line)
  known["objective"] = dataclasses.replace(
    known["objective"],
    default="",
    help="by which it is fine-tuned, where a task has several: multiple_choice,"
    " classify, respond; by default the task's own that fits the architecture",
  )
  known["keep_last"] = dataclasses.replace(known["keep_last"], default=1)
  own = (
    Option("as", str, "", f"{phases.AS} (--model)"),
    Option("epochs", float, EPOCHS, "times that each example is read"),
    Option(
      "batch_size",
      int,
      EXAMPLES,
      "examples a step, on average, each window of a long one counted: several"
      " go into a row, and a step has the number of rows that comes nearest",
    ),
    Option(
      "budget",
      str,
      "",
      "in the place of --epochs: flops:, positions: or steps: and a number,"
      " which is not exceeded; or tokens:, targets: or seconds:, which end with"
      " the step that reaches it",
    ),
  )
  return {option.path: option for option in own} | known


def configured(given: Mapping[str, str]) -> Config:
  """The run that flags ask for, its data read.

  Args:
    given: texts by path.

  Raises:
    UsageError: it is impossible, which says what would be valid.
  """
  from lm_jax.finetuning import dataset

  if not given.get("task"):
    raise UsageError("--task: needed, what to fine-tune for: `list tasks`")
  task = dataset.find_task(given["task"])
  known = schema()
  own = {
    path: known[path].parse(given[path])
    for path in ("epochs", "batch_size", "budget", "as")
    if path in given
  }
  rest = {path: text for path, text in given.items() if path not in own}
  config = based(task, rest, own.get("as", ""))
  examples, config = encoded(config, task)
  rows = rows_a_step(
    examples, own.get("batch_size", EXAMPLES), config.accumulate
  )
  budget = own.get("budget", "")
  if not budget:
    epochs = own.get("epochs", EPOCHS)
    if not 0 < epochs <= 10_000:
      raise UsageError(f"--epochs={epochs:g}: must be above 0, at most 10000")
    # As many for every seed, though its rows may be one more or less: a
    # compiled program is of its budget, and seeds share it.
    budget = f"steps:{examples.steps(0, epochs, rows)}"
  elif "epochs" in own:
    raise UsageError(
      f"--epochs={own['epochs']:g}: give it or --budget={budget}, one of the"
      " two"
    )
  return dataclasses.replace(config, batch_size=rows, budget=budget)


def based(
  task: SupervisedTask, given: Mapping[str, str], pretrained_by: str = ""
) -> Config:
  """Makes the configuration that a run starts from: a model's, or a new one.

  Args:
    task: what it is fine-tuned for.
    given: texts by path, of the configuration.
    pretrained_by: the phase of the model to go on from; "" for the last.

  Raises:
    UsageError: the architecture can't do the task.
  """
  config = Config(length=LENGTH)
  model = given.get("model", "")
  name = given.get("objective", "")
  if name:
    _require_objective(task, name)
  architecture: Any
  if pretrained_by and not model:
    raise UsageError(f"--as={pretrained_by}: needs --model")
  if model:
    config = continued.continued(model, given, pretrained_by)
    architecture = config_lib.resolve(config).architecture
  else:
    natural = config_lib.objective_class(name or task.objective).natural
    architecture = given.get("architecture", "") or natural
  name = name or objective_for(task, architecture)
  length = min(config.length, LENGTH)
  if name == CHOICE:
    assert isinstance(task, LabelledTask)  # its objectives say so
    length *= len(task.choices)  # which share a row
  config = dataclasses.replace(
    config,
    length=length,
    objective=name,
    architecture=architecture,
    objective_options={},
    curriculum="",
    branches="",
    task=task.name,
    log_every=10,
    keep_last=1,
  )
  recipe = RECIPE if model else {**RECIPE, RATE: NEW_RATE}
  adapt = {p: t for p, t in given.items() if p not in ("model", "task")}
  return overrides.override(config, {**recipe, **adapt})


def objectives_of(task: SupervisedTask) -> tuple[str, ...]:
  """The objectives that fine-tune for a task, its own first.

  Candidates may also be classified, all in one text, as runs did before there
  was multiple choice; and every label may be written.
  """
  names = [task.objective]
  if isinstance(task, LabelledTask):
    names += ["classify"] if task.objective == CHOICE else []
    names += ["respond"]
  return tuple(dict.fromkeys(names))


def _require_objective(task: SupervisedTask, name: str) -> None:
  valid = objectives_of(task)
  if name not in valid:
    raise UsageError(
      f"--objective={name}: --task={task.name} is fine-tuned by"
      f" {' or '.join(valid)}"
    )


def objective_for(task: SupervisedTask, architecture: str) -> str:
  """The objective that fine-tunes a model of an architecture for a task.

  What has no head of its own for labels is asked for their names.

  Raises:
    UsageError: none does; says which architectures can.
  """
  for name in objectives_of(task):
    if architecture in config_lib.objective_class(name).architectures:
      return name
  fits = config_lib.objective_class(task.objective).architectures
  raise UsageError(
    f"--task={task.name}: is fine-tuned by {task.objective}, which fits"
    f" {' or '.join(sorted(fits))}; the model is of --architecture="
    f"{architecture}"
  )


def encoded(config: Config, task: SupervisedTask) -> tuple[Any, Config]:
  """The examples of a run, and the run with what follows from them."""
  from lm_jax.finetuning import dataset, splits

  kind = dataset.find_kind(config.objective)
  # The labels of all examples, however few are trained on.
  examples = splits.load(task.name, config.task_data)
  fixed = kind.options(task, examples[splits.TRAIN])
  config = dataclasses.replace(
    config, objective_options={**fixed, **config.objective_options}
  )
  return dataset.load(config), config


def rows_a_step(examples: Any, batch_size: int, accumulate: int) -> int:
  """Rows that hold about so many examples, in parts of one size."""
  from lm_jax.finetuning import splits

  if batch_size < 1:
    raise UsageError(f"--batch_size={batch_size}: must be at least 1")
  total = examples.items(splits.TRAIN)
  share = batch_size * examples.rows(splits.TRAIN) / total
  return max(1, round(share / accumulate)) * accumulate
