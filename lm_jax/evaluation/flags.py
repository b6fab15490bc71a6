"""Flags of `evaluate`: what is measured, and how."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lm_jax.config import phases
from lm_jax.examples import task_paths
from lm_jax.objectives.respond import Bleu
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.support.options import check_ranges, names_given, option, options

TASKS = "lm_jax.tasks"
Form = Literal["text", "json", "csv"]
Correction = Literal["none", "token", "byte", "unconditional", "calibrated"]
_MOST = 2**31 - 1
_PROMPTS = "prompts"


@dataclasses.dataclass(frozen=True)
class EvaluateFlags:
  """The model, its tasks and how they are measured; the fields are flags."""

  model: str = option(
    "",
    "a run directory, or a Hugging Face directory",
    needed="a run or a Hugging Face directory",
  )
  tasks: tuple[str, ...] = option(
    (),
    "what to measure: `list tasks`; by default what a run was fine-tuned for,"
    " or all that need nothing but the run",
  )
  workdir: str = option(
    "",
    "a directory for results.json, results.csv, predictions/TASK.jsonl,"
    " report.html and report.md; the same command again reuses what is there",
  )
  limit: int = option(
    0, "items of each task, drawn by the seed; 0: all", least=0, most=_MOST
  )
  task_data: tuple[str, ...] = option(
    (),
    "TASK=PATH: its examples in PATH/train.jsonl and PATH/test.jsonl, or"
    " PATH_train.jsonl and so on, gzipped or not; of tasks with a test only,"
    " PATH may be the file; may be given several times",
    repeat=True,
  )
  seed: int = option(
    0, "of the draws, of --limit and of samples", least=0, most=_MOST
  )
  predictions: str = option(
    "",
    "a .jsonl file to write: what each item was answered, and its score;"
    " `report --predictions` compares two",
  )
  babylm: str = option(
    "",
    "a directory, results/MODEL, for the answers in the layout that BabyLM's"
    " and Chinese BabyLM's pipelines collect; calls for other tasks add to it",
  )
  format: Form = option("text", "of what is printed")
  run_generated_code: bool = option(
    False,
    "run programs that the model wrote, in a process that can open no file,"
    " no socket and no other process; without it humaneval measures nothing",
  )
  link: Literal["sum", "mean", "slln"] = option(
    "sum",
    "of blimp: how the scores of a sentence's tokens make its own: their sum,"
    " their mean, or their sum by the root of their number (SLLN-LP)",
  )
  embedder: str = option(
    "",
    "a model whose features compare the texts of continuations; by default"
    " the one that wrote them",
  )
  shots: tuple[int, ...] = option(
    (),
    "examples in the prompt, 0,1,4: in-context learning; without it era and"
    " party are probes, and other labelled tasks have none",
    least=0,
    most=1024,
    group=_PROMPTS,
  )
  template: str = option(
    "",
    "one of `list templates`, or a file; by default the task's own, of a"
    " masked model TASK_cloze where there is one",
    group=_PROMPTS,
  )
  correction: Correction = option(
    "none",
    "of the log-probabilities of choices, for the accuracy that is printed"
    " first; the others are in json and csv",
    group=_PROMPTS,
  )
  draws: int = option(
    3,
    "sets of examples, for all items each",
    least=1,
    most=100,
    group=_PROMPTS,
  )
  samples: int = option(
    1,
    "texts for each prompt of a template that reads answers from text, of"
    " which the commonest answer counts (self-consistency); of humaneval, of"
    " which pass@k is estimated",
    least=1,
    most=256,
    group=_PROMPTS,
  )
  bleu: Literal["", Bleu] = option(
    "",
    "sacrebleu's tokenizer of translations; by default as the run was"
    " fine-tuned with, --objective.bleu",
  )
  as_: str = option("", phases.AS)

  given: frozenset[str] = names_given()

  @property
  def counts(self) -> tuple[int, ...]:
    """Numbers of shots, of tasks that are prompted for."""
    return self.shots or (0,)

  @property
  def places(self) -> dict[str, str]:
    """Paths of local examples, by task."""
    return dict(text.partition("=")[::2] for text in self.task_data)

  def recorded(self) -> dict[str, Any]:
    """Returns what numbers depend on, ready for JSON; of files, see places."""
    return {
      "shots": list(self.shots),
      "template": self.template,
      "correction": self.correction,
      "draws": self.draws,
      "seed": self.seed,
      "limit": self.limit,
      "samples": self.samples,
      "run_generated_code": self.run_generated_code,
      "embedder": self.embedder,
    } | (
      ({"as": self.as_} if self.as_ else {})
      | ({"bleu": self.bleu} if self.bleu else {})
      | ({"link": self.link} if self.link != "sum" else {})
    )

  def checked(self) -> EvaluateFlags:
    """Returns the flags, names once each.

    Raises:
      UsageError: an unknown task, a number out of range, no TASK=PATH.
    """
    valid = registry.names(TASKS)
    for name in self.tasks:
      if name not in valid:
        raise registry.unknown("--tasks", name, valid)
    check_ranges(self)
    if "shots" in self.given and not self.shots:
      raise UsageError("--shots: must name numbers, 0,1,4")
    task_paths.read(self.task_data, self.tasks or valid)
    return dataclasses.replace(
      self,
      tasks=tuple(dict.fromkeys(self.tasks)),
      shots=tuple(dict.fromkeys(self.shots)),
    )


def from_values(
  model: str,
  tasks: Sequence[str],
  places: Mapping[str, str],
  values: Mapping[str, Any],
) -> EvaluateFlags:
  """Makes the flags from values in Python.

  Args:
    model: its directory.
    tasks: their names.
    places: of local files, by task.
    values: of further flags, by name.

  Raises:
    UsageError: an unknown option, or a bad value.
  """
  known = options(EvaluateFlags)
  checked: dict[str, Any] = {"model": model, "tasks": tuple(tasks)}
  checked["task_data"] = tuple(f"{name}={at}" for name, at in places.items())
  for name, value in values.items():
    name = "as" if name == "objective" else name
    if name not in known or name in ("model", "tasks", "task_data", "format"):
      raise registry.unknown("option", name, known)
    if isinstance(value, os.PathLike):
      value = os.fspath(value)
    if name == "shots" and isinstance(value, int):
      value = (value,)
    checked[name] = known[name].check(value, "evaluate")
  if "as" in checked:
    checked["as_"] = checked.pop("as")
  if not model:
    raise UsageError(f"--model: needed, {known['model'].needed}")
  return EvaluateFlags(**checked, given=frozenset(values)).checked()
