"""Models from Python, with arguments as Transformers users know them.

lm = lm_jax.load("runs/clm-seed0")  # or a Hugging Face directory
lm.score(["The state of the Union is strong."])
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lm_jax.inference.directory import ModelDirectory
from lm_jax.language_model import LanguageModel

if TYPE_CHECKING:
  from lm_jax.evaluation.results import Evaluation


def load(path: str | os.PathLike, objective: str = "") -> LanguageModel:
  """Loads a run's last intact checkpoint, or a Hugging Face directory.

  Args:
    path: a run directory, or a Hugging Face directory of one of
      `list families`, which is read as it is.
    objective: by which a run of several phases is read: one that trained it;
      by default that of the last phase.

  Raises:
    UsageError: neither of them, or it cannot be read, or it was not trained by
      `objective`.
  """
  path = os.path.expanduser(os.fspath(path))
  return LanguageModel.load(ModelDirectory(path, "path", objective))


def evaluate(
  model: str | os.PathLike | LanguageModel,
  tasks: str | Sequence[str] = (),
  task_data: Mapping[str, str | os.PathLike] | None = None,
  **options: Any,
) -> Evaluation:
  """Measures a model by tasks; writes nothing unless it is told to.

  `evaluate("runs/clm", ["sst2"], shots=(0, 4))["sst2/4 shots/accuracy"]`.

  Args:
    model: what `load` gave, or a directory that it takes.
    tasks: by name; none means those that need nothing but the model, or what
      it was fine-tuned for.
    task_data: where a task's local files lie, by its name.
    **options: flags of `launch.py evaluate`: shots=(0, 4), template="...",
      limit=100, seed=0, workdir="...", predictions="...", ...; and
      objective="clm" for --as=clm.

  Returns:
    the numbers by name, as a mapping; `.rows` has their intervals and how they
    were measured, `.predictions` what was said to each item.

  Raises:
    UsageError: as `load`, an unknown task or option, a task that the model
      can't do, or the run's corpus is gone or has changed.
  """
  from lm_jax.evaluation import evaluate as evaluate_lib
  from lm_jax.evaluation import flags

  names = (tasks,) if isinstance(tasks, str) else tuple(tasks)
  places = {name: os.fspath(path) for name, path in (task_data or {}).items()}
  if isinstance(model, LanguageModel):
    chosen = flags.from_values(model.trained.source, names, places, options)
    return evaluate_lib.evaluate(chosen, model=model)
  path = os.path.expanduser(os.fspath(model))
  return evaluate_lib.evaluate(flags.from_values(path, names, places, options))
