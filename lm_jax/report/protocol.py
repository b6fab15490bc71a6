"""The table of a fine-tuning protocol: models by tasks and methods.

A pure function of the protocol's directory, as the report of an experiment.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.report import (
  blocks,
  protocol_averages,
  publish,
  sheet,
)
from lm_jax.report.blocks import Block, Code, Heading, Table, Text
from lm_jax.report.metrics import amount, interval, p_value
from lm_jax.statistics import differences as differences_lib
from lm_jax.statistics import items as items_lib
from lm_jax.statistics.estimates import Estimate
from lm_jax.support.status import DONE
from lm_jax.support.typed_json import as_kind, read_as

FILE = "protocol.json"


@dataclasses.dataclass(frozen=True)
class Cell:
  """A model on a task by a method, as protocol.json has it.

  metric: of the task, without its name.
  runs: of each seed, by name.
  head: how the model answers.
  chosen: the setting that did best.
  why: the reason where nothing was measured.
  """

  arm: str
  task: str
  method: str
  metric: str
  runs: list[str] = dataclasses.field(default_factory=list)
  head: str | None = None
  chosen: str | None = None
  why: str = ""


@dataclasses.dataclass(frozen=True)
class Result:
  """The fields of a run's result.json that the table shows."""

  status: str
  error: str | None = None
  seed: int = 0
  parameters: int | None = None
  metrics: dict[str, float] = dataclasses.field(default_factory=dict)
  items: dict[str, Any] = dataclasses.field(default_factory=dict)
  ledger: dict[str, Any] = dataclasses.field(default_factory=dict)
  examples: dict[str, Any] = dataclasses.field(default_factory=dict)
  cut: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Entry(Cell):
  """A cell with its scores.

  results: of its finished runs, one a seed.
  scores: of the test split, one a seed [N].
  items: of each example, [N, I].
  """

  results: Sequence[Result]
  scores: np.ndarray
  items: np.ndarray

  @property
  def seeds(self) -> list[int]:
    return [result.seed for result in self.results]


def write(directory: str | os.PathLike[str]) -> str:
  """Writes results.csv, report.md and report.html; the text for a terminal.

  Raises:
    UsageError: the directory has no protocol, or a damaged one.
  """
  root = pathlib.Path(directory)
  about, entries = _read(root)
  content = _content(about, entries)
  name = str(about.get("name", root.name))
  whole = [*content, *_made(about, entries)]
  publish(root, name, whole, _csv(entries), {})
  return blocks.plain(content)


def records(directory: str | os.PathLike[str]) -> list[dict[str, Any]]:
  """Makes a record for each score, as in results.csv; raises as `write`."""
  return _rows(_read(pathlib.Path(directory))[1])


def _read(root: pathlib.Path) -> tuple[dict[str, Any], list[Entry]]:
  path = root / FILE
  about = read_as(path, dict)
  cells = as_kind(about.get("cells"), list[Cell], f"{path}: cells")
  return about, [_entry(root, cell) for cell in cells]


def _entry(root: pathlib.Path, cell: Cell) -> Entry:
  paths = [root / "runs" / name / "result.json" for name in cell.runs]
  results = [read_as(path, Result) for path in paths if path.exists()]
  done = [r for r in results if r.status == DONE]
  scores = [r.metrics[f"{cell.task}/{cell.metric}"] for r in done]
  per_item = [r.items.get(cell.task, ()) for r in done]
  same = len({len(x) for x in per_item}) == 1
  why = cell.why
  if not done and not why:
    why = "; ".join(sorted({r.error or r.status for r in results})) or "not run"
  return Entry(
    **{**vars(cell), "why": why},
    results=done,
    scores=np.array(scores, float),
    items=np.array(per_item, float) if same else np.zeros((len(done), 0)),
  )


def _content(about: Mapping[str, Any], entries: Sequence[Entry]) -> list[Block]:
  content: list[Block] = [Heading(str(about.get("name", "protocol")))]
  content.append(
    Text(
      "Every model had the same trials, steps, seeds and stopping: each"
      f" combination of {_sweeps(about)} with the first seed, and the one that"
      " did best on the split to choose by with all of"
      f" {about.get('seeds')} seeds. Test split; mean over seeds, with 95 %"
      " intervals by the spread of each model's own seeds (from three on)."
    )
  )
  for task in dict.fromkeys(entry.task for entry in entries):
    content += _task(task, [e for e in entries if e.task == task], about)
  return content + protocol_averages.blocks_of(entries)


def _made(about: Mapping[str, Any], entries: Sequence[Entry]) -> list[Block]:
  """The settings and what made the runs, which a terminal leaves out."""
  content: list[Block] = [Heading("Settings"), _settings(entries)]
  made = about.get("command")
  if made:
    content += [Heading("How it was made"), Code(str(made), "Command")]
  versions = about.get("versions")
  if isinstance(versions, dict):
    text = ", ".join(f"{k} {v}" for k, v in versions.items())
    where = f"{about.get('date', '')}, {about.get('machine', '')}"
    content.append(Text(f"Versions: {text}. ({where})"))
  return content


def _sweeps(about: Mapping[str, Any]) -> str:
  swept = about.get("sweeps") or {}
  parts = [f"{path} = {', '.join(values)}" for path, values in swept.items()]
  return "; ".join(parts) or "one setting"


def _task(
  task: str, entries: Sequence[Entry], about: Mapping[str, Any]
) -> list[Block]:
  metric = entries[0].metric
  count = max((e.items.shape[1] for e in entries), default=0)
  content: list[Block] = [Heading(f"{task}: {metric}, {count} test examples")]
  rows, differences = [], []
  for method in dict.fromkeys(entry.method for entry in entries):
    compared = [entry for entry in entries if entry.method == method]
    rows += [(entry.arm, method, *_scored(entry)) for entry in compared]
    differences += _differences(compared, about.get("baseline"))
  head = ("model", "method", f"{metric}, mean", "seeds", "head", "trained")
  content.append(Table(head, tuple(rows), words=(0, 1, 4)))
  content += [
    Text(f"{entry.arm}, {entry.method}: not measured: {entry.why}")
    for entry in entries
    if not entry.results
  ]
  if differences:
    content += _compared(differences, str(about.get("baseline")))
  return content


def _scored(entry: Entry) -> tuple[str, ...]:
  head = entry.head or ""
  if not entry.results:
    return "–", "0", head, ""
  estimate = differences_lib.mean(
    entry.scores[:, None], fraction=_is_share(entry)
  )
  trained = amount(entry.results[0].parameters)
  return _percent(estimate), str(len(entry.scores)), head, trained


def _percent(estimate: Estimate, signed: bool = False) -> str:
  return interval(estimate.value, estimate.low, estimate.high, True, signed)


def _differences(
  entries: Sequence[Entry], baseline: object
) -> list[tuple[Entry, Estimate, float | None]]:
  """Differences to the baseline, over seeds, and p values over items."""
  base = next((e for e in entries if e.arm == baseline and e.results), None)
  if base is None:
    return []
  differences = []
  for entry in entries:
    if entry is base or not entry.results:
      continue
    p_items = None
    if entry.items.shape[1] == base.items.shape[1] > 0:
      means = [e.items.mean(axis=0) for e in (entry, base)]
      p_items = items_lib.item_difference(*means).p
    differences.append((entry, _over_seeds(entry, base), p_items))
  return differences


def _is_share(entry: Entry) -> bool:
  """Returns whether all scores are shares of 1; correlations may not be."""
  scores_N = np.asarray(entry.scores)
  within = (scores_N >= 0) & (scores_N <= 1)
  return bool(within.all())


def _over_seeds(entry: Entry, baseline: Entry) -> Estimate:
  """The difference on the seeds that both have finished."""
  seeds = sorted(set(entry.seeds) & set(baseline.seeds))
  both = [
    (e, [e.seeds.index(seed) for seed in seeds]) for e in (entry, baseline)
  ]
  grids = [e.items[rows] for e, rows in both]
  scores = [e.scores[rows, None] for e, rows in both]
  # A measure that is no mean over examples (F1, a correlation) varies with
  # them in another way: its spread over seeds alone is known.
  means = all(
    grid.shape[1] and np.allclose(grid.mean(1), score_Nx1[:, 0])
    for grid, score_Nx1 in zip(grids, scores, strict=True)
  )
  if not means or grids[0].shape != grids[1].shape:
    grids = scores
  if not seeds:
    return Estimate(float(entry.scores.mean() - baseline.scores.mean()))
  share = _is_share(entry) and _is_share(baseline)
  return differences_lib.difference(grids[0], grids[1], fraction=share)


def _compared(differences: Sequence[Any], baseline: str) -> list[Block]:
  by_seed = items_lib.holm([seeds.p for _, seeds, _ in differences])
  by_item = items_lib.holm([p for _, _, p in differences])
  rows = tuple(
    (
      entry.arm,
      entry.method,
      _percent(seeds, signed=True),
      p_value(one),
      p_value(other),
    )
    for (entry, seeds, _), one, other in zip(
      differences, by_seed, by_item, strict=True
    )
  )
  head = ("model", "method", f"difference to {baseline}", "p, seeds")
  return [
    Table((*head, "p, items"), rows, words=(0, 1)),
    Text(
      f"p: Holm's correction for {len(rows)}. Seeds: paired by seed, for other"
      " seeds and other items; none below three seeds, and below five only"
      " large differences can be shown. Items: McNemar, or sign flips of the"
      " means over seeds; these checkpoints only."
    ),
  ]


def _settings(entries: Sequence[Entry]) -> Table:
  head = ("model", "task, method", "chosen", "steps", "examples", "cut", "s")
  rows = []
  for entry in entries:
    result = entry.results[0] if entry.results else Result("")
    rows.append(
      (
        entry.arm,
        f"{entry.task}, {entry.method}",
        entry.chosen or "",
        amount(result.ledger.get("steps")),
        amount(result.examples.get("train")),
        _cut(result),
        amount(result.ledger.get("seconds"), "seconds"),
      )
    )
  return Table(head, tuple(rows), words=(0, 1, 2))


def _cut(result: Result) -> str:
  """Examples that lost tokens, of all, in the splits where some did."""
  some = [
    f"{split} {count}/{result.examples.get(split)}"
    for split, count in result.cut.items()
    if count
  ]
  return ", ".join(some) or ("0" if result.cut else "–")


def _csv(entries: Sequence[Entry]) -> str:
  names = ("model", "task", "method", "metric", "seed", "value", "head")
  rows = [tuple(row.values()) for row in _rows(entries)]
  return sheet.text((*names, "chosen"), rows)


def _rows(entries: Sequence[Entry]) -> list[dict[str, Any]]:
  """A row for each score."""
  return [
    {
      "model": entry.arm,
      "task": entry.task,
      "method": entry.method,
      "metric": entry.metric,
      "seed": seed,
      "value": value,
      "head": entry.head,
      "chosen": entry.chosen,
    }
    for entry in entries
    for seed, value in zip(entry.seeds, entry.scores.tolist(), strict=True)
  ]
