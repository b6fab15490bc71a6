"""The pages of an evaluation, a function of its directory alone."""

from __future__ import annotations

import importlib.metadata
import pathlib
import platform
from collections.abc import Sequence
from typing import Any

from lm_jax.evaluation import (
  averages,
  examples,
  figures,
  formats,
  predictions,
  text,
)
from lm_jax.evaluation import parts as parts_lib
from lm_jax.evaluation import store as store_lib
from lm_jax.evaluation.results import Evaluation, Row
from lm_jax.report import publish
from lm_jax.report.blocks import (
  Block,
  Case,
  Cases,
  Code,
  Heading,
  Image,
  Table,
  Text,
)
from lm_jax.storage import disk
from lm_jax.support import invocation, plugins, version
from lm_jax.support.errors import UsageError

_PACKAGES = ("jax", "jaxlib", "flax", "numpy", "scipy", "scikit-learn")
_MOST_CASES = 8  # of a task and a group
# What a head reads, by Head.pool.
_POOLED = {
  "none": "of each token",
  "first": "of the first token",
  "last": "of the last token",
  "mean": "of the mean of all tokens",
  "end": "of the token that ends the text",
}
_GROUPS = ("right", "wrong", "in part")


def versions() -> dict[str, str]:
  """Versions of what numbers may depend on: packages, and a user's plugins."""
  installed = {
    "lm_jax": version.__version__,
    "python": platform.python_version(),
  }
  for name in _PACKAGES:
    try:
      installed[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      continue
  if directories := plugins.directories():
    installed["plugins"] = ",".join(directories)
  return installed


def write(directory: str) -> Evaluation:
  """Writes results.csv, report.md, report.html and figures of a directory.

  Raises:
    UsageError: it holds no evaluation, or a damaged one.
  """
  root = pathlib.Path(directory)
  held = store_lib.read(directory)
  if held is None:
    raise UsageError(f"--workdir={root}: holds no evaluation")
  evaluation = held[0]
  image, files = figures.scores(evaluation.rows)
  content = build(evaluation, root, image)
  title = f"Evaluation of {evaluation.model['path']}"
  with disk.disk_errors_as_usage(f"--workdir={root}"):
    publish(root, title, content, formats.as_csv(evaluation), files)
  return evaluation


def build(
  evaluation: Evaluation, root: pathlib.Path, image: Image | None
) -> list[Block]:
  """Builds the blocks of the pages.

  Args:
    evaluation: without its predictions.
    root: where they lie.
    image: the figure, if there is one.
  """
  rows = evaluation.rows
  main = [row for row in rows if row.headline and not row.part]
  rest = [row for row in rows if not row.headline]
  content: list[Block] = [
    Heading(f"Evaluation of {evaluation.model['path']}"),
    Text(_model(evaluation)),
    table(main),
    *map(Text, averages.lines(rows)),
    Text(
      "Intervals: 95 %, over items: Wilson's of scores that are 0 or 1, else"
      " by t; of prompts by t, and over draws of shots where there are several."
      " They hold for this checkpoint only: another seed may differ by more."
    ),
  ]
  if image is not None:
    content.append(image)
  for outcome in evaluation.outcomes:
    content += _parts(outcome.rows)
  if rest:
    content += [Heading("Other corrections"), _corrections(rest)]
  for outcome in evaluation.outcomes:
    content += _examples(root, outcome.task)
  return [*content, Heading("How it was made"), *_made(evaluation)]


def table(rows: Sequence[Row]) -> Table:
  """Each number, with its interval and how it was measured."""
  shots = any(row.shots is not None for row in rows)
  head = ["task", "metric", "value", "items", "chance", "how"]
  if shots:
    head.insert(2, "shots")
  lines = []
  for row in rows:
    line = [row.task, row.metric, text.with_unit(row)]
    line += ["–" if row.items is None else f"{row.items:,}"]
    line += ["–" if row.chance is None else text.number(row, row.chance) + " %"]
    line += [text.how(row) + _lost(row)]
    if shots:
      line.insert(2, "–" if row.shots is None else str(row.shots))
    lines.append(tuple(line))
  return Table(tuple(head), tuple(lines), words=(0, 1, len(head) - 1))


def _corrections(rows: Sequence[Row]) -> Table:
  """Numbers of prompts by how the scores of choices are corrected."""
  head = ("task", "shots", "correction", "metric", "value")
  lines = []
  for row in rows:
    value = text.with_unit(row)
    lines.append((row.task, str(row.shots), row.correction, row.metric, value))
  return Table(head, tuple(lines), words=(0, 2, 3))


def _parts(rows: Sequence[Row]) -> list[Block]:
  """Numbers of parts of a task's items: one table, the rest in lines."""
  levels = parts_lib.by_level(rows)
  shown = parts_lib.table(levels)
  content: list[Block] = []
  if shown is not None:
    lines = tuple(
      (shown.name(row), f"{row.items or 0:,}", parts_lib.shown_value(row))
      for row in shown.rows
    )
    head = (shown.level, "items", "value")
    content = [Heading(f"{shown.task} by {shown.level}"), Table(head, lines)]
  others = [parts_lib.line(one) for one in levels if one is not shown]
  return [*content, *(Text(f"{rows[0].task} {line}.") for line in others)]


def _lost(row: Row) -> str:
  losses = ""
  if row.shots_dropped:
    losses += f"; {100 * row.shots_dropped:.0f} % of the shots did not fit"
  if row.cut:
    losses += f"; {100 * row.cut:.0f} % of the items were cut"
  return losses


def _model(evaluation: Evaluation) -> str:
  model = evaluation.model
  parts = [f"Objective {model['objective']}", str(model["architecture"])]
  size = model.get("parameters")
  if isinstance(size, int):
    parts.append(f"{size:,} parameters")
  heads = model.get("heads")
  if isinstance(heads, dict):
    parts += [
      f"head {name}, {_POOLED.get(pool, pool)}" for name, pool in heads.items()
    ]
  parts.append(f"digest {str(model['digest'])[:12]}")
  return ", ".join(parts) + "."


def _examples(root: pathlib.Path, task: str) -> list[Block]:
  """A few items of each group, the first of them."""
  path = root / store_lib.FOLDER / f"{task}.jsonl"
  if not path.exists():
    return []
  chosen: dict[str, list[Case]] = {group: [] for group in _GROUPS}
  counts = dict.fromkeys(_GROUPS, 0)
  for record in predictions.read(path):
    group = {1: "right", 0: "wrong"}.get(record["score"], "in part")
    counts[group] += 1
    further = examples.further(record)
    telling = examples.answer(record) is not None or further
    if telling and len(chosen[group]) < _MOST_CASES:
      chosen[group].append(_case(record, group, further))
  cases = tuple(case for of_group in chosen.values() for case in of_group)
  if not cases:
    return []
  group_counts = ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
  where = f"{store_lib.FOLDER}/{path.name}"
  return [
    Heading(f"{task}: examples"),
    Text(
      f"{group_counts}. Up to {_MOST_CASES} of each are shown; all are in"
      f" {where}."
    ),
    Cases(_GROUPS, cases),
  ]


def _case(record: dict[str, Any], group: str, further: list[str]) -> Case:
  title = f"id {examples.shown(record['id'], 80)}"
  if "shots" in record:
    title += f", {record['shots']} shots"
  if record.get("draw"):
    title += f", draw {record['draw']}"
  parts = examples.asked(record, further) + examples.answered(record, "", ())
  return Case(title, group, tuple(parts))


def _made(evaluation: Evaluation) -> list[Block]:
  command = ["evaluate"]
  command.append(f"--model={evaluation.model['path']}")
  command.append(f"--tasks={','.join(o.task for o in evaluation.outcomes)}")
  flags = {k: v for k, v in evaluation.flags.items() if k != "task_data"}
  for name, value in flags.items():
    if isinstance(value, list):
      value = ",".join(map(str, value))
    if value not in ("", None):
      command.append(f"--{name}={value}")
  for name, place in evaluation.flags["task_data"].items():
    command.append(f"--task_data={name}={place}")
  names = ", ".join(f"{k} {v}" for k, v in evaluation.versions.items())
  return [
    Code(invocation.line(command), "Command"),
    Text(f"Versions: {names}."),
  ]
