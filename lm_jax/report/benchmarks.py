"""Averages of GLUE and SuperGLUE, by the rules of their leaderboards.

The mean over tasks; a task with several metrics counts by their mean (Wang et
al. 2018, section 5; 2019, section 3.3). MNLI's two test sets are one task;
diagnostic sets (AX, AX-b, AX-g) do not count.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

ACCURACY = ("accuracy",)
# The metrics of each task of a benchmark.
BENCHMARKS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
  "glue": {
    "cola": ("matthews",),
    "sst2": ACCURACY,
    "mrpc": ("f1", "accuracy"),
    "stsb": ("pearson", "spearman"),
    "qqp": ("f1", "accuracy"),
    "mnli": ("accuracy", "mismatched_accuracy"),
    "qnli": ACCURACY,
    "rte": ACCURACY,
    "wnli": ACCURACY,
  },
  "superglue": {
    "boolq": ACCURACY,
    "cb": ("accuracy", "f1"),
    "copa": ACCURACY,
    "multirc": ("f1a", "exact_match"),
    "record": ("f1", "exact_match"),
    "rte": ACCURACY,
    "wic": ACCURACY,
    "wsc": ACCURACY,
  },
}
# Where else a metric may be found.
_ALSO = {"mnli/mismatched_accuracy": "mnli_mismatched/accuracy"}


class Average(NamedTuple):
  """An average of a benchmark.

  value: None where something is missing.
  missing: the tasks, or metrics of tasks, that it lacks.
  constant: tasks that were answered alike whatever was asked.
  without: the average of the other tasks, where there are such.
  """

  name: str
  value: float | None
  missing: tuple[str, ...]
  constant: tuple[str, ...] = ()
  without: float | None = None

  @property
  def tasks(self) -> int:
    """The number of tasks of the benchmark."""
    return len(BENCHMARKS[self.name])


def averages(
  found: Mapping[str, float], constant: Collection[str] = ()
) -> list[Average]:
  """Averages each benchmark of which two or more tasks have values.

  Args:
    found: values by "task/metric".
    constant: tasks that were answered alike whatever was asked.
  """
  return [
    _average(name, tasks, found, constant)
    for name, tasks in BENCHMARKS.items()
    if sum(bool(_values(task, tasks[task], found)) for task in tasks) > 1
  ]


def _average(
  name: str,
  tasks: Mapping[str, tuple[str, ...]],
  found: Mapping[str, float],
  constant: Collection[str],
) -> Average:
  missing, scores = [], {}
  for task, metrics in tasks.items():
    values = _values(task, metrics, found)
    if not values:
      missing.append(task)
    elif len(values) < len(metrics):
      missing += [f"{task}'s {x}" for x in metrics if x not in values]
    else:
      scores[task] = sum(values.values()) / len(values)
  if missing:
    return Average(name, None, tuple(missing))
  value = sum(scores.values()) / len(scores)
  collapsed = tuple(task for task in scores if task in constant)
  others = [score for task, score in scores.items() if task not in constant]
  without = sum(others) / len(others) if collapsed and others else None
  return Average(name, value, (), collapsed, without)


def _values(
  task: str, metrics: tuple[str, ...], found: Mapping[str, float]
) -> dict[str, float]:
  """Returns the metrics of a task that have values."""
  values = {}
  for metric in metrics:
    name = f"{task}/{metric}"
    name = name if name in found else _ALSO.get(name, name)
    if name in found:
      values[metric] = found[name]
  return values


def sentence(average: Average, where: str = "") -> str:
  """Says an average's value, or what it lacks, in a line.

  >>> sentence(Average("glue", 0.805, ()))
  'glue: 80.5, the mean of 9 tasks'
  """
  name = f"{average.name}{where}"
  if average.value is None:
    are = "is" if len(average.missing) == 1 else "are"
    return f"{name}: no average: {', '.join(average.missing)} {are} missing"
  text = f"{name}: {100 * average.value:.1f}, the mean of {average.tasks} tasks"
  if average.without is None:
    return text
  names = ", ".join(average.constant)
  return (
    f"{text}; without {names}, answered alike whatever was asked,"
    f" {100 * average.without:.1f}"
  )
