"""`python launch.py evaluate`: every task in the way that fits it."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Callable, Mapping, Sequence

from lm_jax import config as config_lib
from lm_jax.data.hashes import FileState
from lm_jax.data.rows import Dataset
from lm_jax.evaluation import (
  averages,
  babylm,
  fine_tuned,
  plan,
  predictions,
  prompted,
  report,
  results,
  store,
  text,
)
from lm_jax.evaluation.flags import EvaluateFlags
from lm_jax.evaluation.plan import TaskPlan
from lm_jax.evaluation.prompted import Questions
from lm_jax.evaluation.results import OWN, PROMPT, Evaluation, Outcome, Row
from lm_jax.inference.directory import ModelDirectory
from lm_jax.inference.score import Scorer
from lm_jax.language_model import LanguageModel
from lm_jax.prompting import judges, template
from lm_jax.storage import disk
from lm_jax.support import registry
from lm_jax.support.errors import UsageError
from lm_jax.tasks.base import DataTask, LabelledTask, SupervisedTask, Task
from lm_jax.tasks.blimp import Blimp

Tell = Callable[[Sequence[str]], None]


def evaluate(
  flags: EvaluateFlags,
  tell: Tell | None = None,
  model: LanguageModel | None = None,
) -> Evaluation:
  """Measures a model; writes the files that are to be.

  Args:
    flags: which model, tasks, shots and so on.
    tell: gets lines of text as they come.
    model: that of `flags`, if it was read before.

  Raises:
    UsageError: before anything is measured, if it can be known by then.
  """
  source = ModelDirectory(flags.model, objective=flags.as_)
  flags = fine_tuned.with_own_data(flags, source)
  planned = plan.plan(flags, source)
  if flags.predictions:
    _require_new(pathlib.Path(flags.predictions))
  if flags.babylm:
    babylm.check(flags.babylm, flags.limit)
  if flags.workdir:
    store.check(flags)
  if flags.template:
    template.load(flags.template)  # Raises before anything else is read.
  # Before anything of it is read.
  files = {
    p.name: store.files(flags.places.get(p.name, ""), flags.workdir)
    for p in planned
  }
  tasks = [p.task for p in planned if p.way == PROMPT]
  data = {
    task.name: prompted.examples(task, flags)
    for task in tasks
    if isinstance(task, LabelledTask)
  }
  model = model or LanguageModel.load(source)
  model.trained.require_tokenizer()  # Raises where there is no tokenizer.
  questions = {
    task.name: Questions(task, data[task.name], model.trained, flags)
    for task in tasks
    if isinstance(task, LabelledTask)
  }
  empty = Evaluation(
    model.about(),
    flags.recorded() | {"task_data": flags.places},
    report.versions(),
    (),
  )
  with contextlib.ExitStack() as stack:
    kept = None
    if flags.workdir:
      kept = stack.enter_context(store.opened(flags, empty))
    outcomes: list[Outcome] = []
    left_out: list[str] = []
    for one in planned:
      outcome = _outcome(
        one, model, questions, flags, files[one.name], kept, tell
      )
      if isinstance(outcome, str):
        left_out.append(f"{one.name}: {outcome}")
      else:
        outcomes.append(outcome)
    if not outcomes:
      why = "\n".join(["No task measures this model:", *left_out])
      print(why, file=sys.stderr)
    rows = [row for outcome in outcomes for row in outcome.rows]
    if tell and (told := averages.lines(rows)):
      tell(told)
    if flags.predictions:
      records = [p for outcome in outcomes for p in outcome.predictions]
      with disk.disk_errors_as_usage(f"--predictions={flags.predictions}"):
        predictions.write(flags.predictions, records)
    if flags.babylm:
      babylm.write(flags.babylm, outcomes, flags.places)
    if kept is not None:
      report.write(flags.workdir)
  return Evaluation(empty.model, empty.flags, empty.versions, tuple(outcomes))


def _outcome(
  one: TaskPlan,
  model: LanguageModel,
  questions: Mapping[str, Questions],
  flags: EvaluateFlags,
  files: Mapping[str, FileState],
  kept: store.Store | None,
  tell: Tell | None,
) -> Outcome | str:
  """Measures a task, or reuses its outcome; or says why it does not apply."""
  say = tell or (lambda lines: None)
  source = ""
  if one.way == PROMPT:
    name = flags.template or judges.template_for(one.name, model.trained)
    source = template.source(name, "--template")
  stamp = store.stamp(files, source)
  outcome = kept.get(one.name, stamp) if kept else None
  if outcome is not None:
    say([*text.head(outcome.rows), *text.body(outcome.rows)])
    return outcome
  if one.way == PROMPT:
    told: list[Row] = []

    def tell_rows(rows: Sequence[Row]) -> None:
      say([*([] if told else text.head(rows)), *text.body(rows)])
      told.extend(rows)

    outcome = questions[one.name].outcome(tell_rows)
  else:
    measured = _measured(one, model, flags)
    if isinstance(measured, str):
      return measured
    outcome = measured
    say([*text.head(outcome.rows), *text.body(outcome.rows)])
  place = flags.places.get(one.name, "")
  store.require_same(one.name, place, files, flags.workdir)
  if kept is not None:
    kept.put(outcome, stamp)
  return outcome


def _measured(
  one: TaskPlan, model: LanguageModel, flags: EvaluateFlags
) -> Outcome | str:
  """Measures a task without prompts; or says why it does not apply."""
  if one.way != OWN:
    assert isinstance(one.task, SupervisedTask)
    return fine_tuned.measure(model.trained, one.task, flags)
  task, dataset = one.task, None
  task.limit, task.seed = flags.limit, flags.seed
  if isinstance(task, DataTask):
    task.place = flags.places.get(one.name, "")
    task.samples = flags.samples
    if isinstance(task, Blimp):
      task.link = flags.link
    task.run_generated_code = flags.run_generated_code
    if flags.embedder:
      task.embedder = LanguageModel.load(
        ModelDirectory(flags.embedder, "--embedder")
      ).scorer
  if not isinstance(task, DataTask) or task.reads_corpus:
    dataset = model.dataset
  measure = task.measure(model.scorer, dataset)
  scoring = model.scorer.scoring
  if measure.metrics:
    return results.of_measure(one.name, measure, OWN, scoring)
  why = _why_not(task, model.scorer, dataset)
  if not one.named:
    return why
  raise UsageError(f"--tasks={one.name}: {why}")


def _why_not(task: Task, scorer: Scorer, dataset: Dataset | None) -> str:
  """Says why a task does not apply, and to which models it does."""
  if task.needs_likelihood:
    return (
      "needs a likelihood or a bound on it, and the model has none; models of"
      f" {_with_likelihood()} have one"
    )
  if why := task.why_not(scorer, dataset):
    return f"does not apply: {why}"
  text = f", its text {dataset.corpus.name}" if dataset else ""
  return (
    f"does not apply: the model's scores are {scorer.scoring or 'none'}{text}"
  )


def _with_likelihood() -> str:
  """Lists the objectives that have a likelihood or a bound on it."""
  return ", ".join(
    name
    for name in registry.names(config_lib.OBJECTIVES)
    if config_lib.objective_class(name).likelihood()
  )


def _require_new(path: pathlib.Path) -> None:
  where = f"--predictions={path}"
  if path.exists():
    raise UsageError(f"{where}: is there already; name another file")
  if not path.parent.is_dir():
    raise UsageError(f"{where}: {path.parent} is no directory")
