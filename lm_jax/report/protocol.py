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
  items,
  protocol_averages,
  publish,
  sheet,
  statistics,
)
from lm_jax.report.blocks import Block, Code, Heading, Table, Text
from lm_jax.report.estimates import Estimate
from lm_jax.report.metrics import amount, interval, p_value
from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short
from lm_jax.support.status import DONE

FILE = "protocol.json"


@dataclasses.dataclass(frozen=True)
class Entry:
  """A model on a task by a method.

  scores: of the test split, one a seed [N].  items: of each example, [N, I].
  seeds: one for each score.
  why: the reason where scores are missing.
  facts: what the table of settings shows.
  """

  arm: str
  task: str
  method: str
  scores: np.ndarray
  items: np.ndarray
  seeds: tuple[int, ...]
  why: str
  facts: Mapping[str, Any]


def write(directory: str | os.PathLike[str]) -> str:
  """Writes results.csv, report.md and report.html; the text for a terminal.

  Raises:
    UsageError: the directory has no protocol, or a damaged one.
  """
  root = pathlib.Path(directory)
  about, entries = _read(root)
  content = _content(about, entries)
  name = str(about.get("name", root.name))
  publish(root, name, content, _csv(entries), {})
  return blocks.plain(content[: _shown(content)])


def records(directory: str | os.PathLike[str]) -> list[dict[str, Any]]:
  """Makes a record for each score, as in results.csv; raises as `write`."""
  return _rows(_read(pathlib.Path(directory))[1])


def _read(root: pathlib.Path) -> tuple[dict[str, Any], list[Entry]]:
  about = strict_json.read(root / FILE)
  if not isinstance(about, dict) or not isinstance(about.get("cells"), list):
    raise UsageError(f"{root / FILE}: must be an object with a list of cells")
  return about, [_entry(root, cell) for cell in about["cells"]]


def _shown(content: Sequence[Block]) -> int:
  """Counts the blocks before the settings, which a terminal leaves out."""
  for number, block in enumerate(content):
    if isinstance(block, Heading) and block.text == "Settings":
      return number
  return len(content)


def _entry(root: pathlib.Path, cell: Any) -> Entry:
  keys = ("arm", "task", "method", "metric")
  if not isinstance(cell, dict) or not all(
    isinstance(cell.get(key), str) for key in keys
  ):
    raise UsageError(f"{root / FILE}: the cell {short(cell)}: is none")
  results = [
    strict_json.read(path)
    for name in cell.get("runs", ())
    if (path := root / "runs" / str(name) / "result.json").exists()
  ]
  done = [r for r in results if r.get("status") == DONE]
  metric = f"{cell['task']}/{cell['metric']}"
  scores = [float(r["metrics"][metric]) for r in done]
  per_item = [r["items"].get(cell["task"], ()) for r in done]
  same = len({len(x) for x in per_item}) == 1
  grid = np.array(per_item, float) if same else np.zeros((len(done), 0))
  why = str(cell.get("why", ""))
  if not scores and not why:
    said = {str(r.get("error") or r.get("status")) for r in results}
    why = "; ".join(sorted(said))
  return Entry(
    *(cell["arm"], cell["task"], cell["method"]),
    scores=np.array(scores, float),
    items=grid,
    seeds=tuple(int(r["seed"]) for r in done),
    why=why or ("" if scores else "not run"),
    facts={
      **cell,
      "result": done[0] if done else {},
      "metrics": [r["metrics"] for r in done],
    },
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
  content += protocol_averages.blocks_of(entries)
  content += [Heading("Settings"), _settings(entries)]
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
  metric = entries[0].facts["metric"]
  count = max((e.items.shape[1] for e in entries), default=0)
  content: list[Block] = [Heading(f"{task}: {metric}, {count} test examples")]
  rows, differences = [], []
  methods = list(dict.fromkeys(entry.method for entry in entries))
  arms = list(dict.fromkeys(entry.arm for entry in entries))
  by = {(entry.arm, entry.method): entry for entry in entries}
  for method in methods:
    compared = [by[arm, method] for arm in arms if (arm, method) in by]
    rows += [(entry.arm, method, *_scored(entry)) for entry in compared]
    differences += _differences(compared, method, about)
  head = ("model", "method", f"{metric}, mean", "seeds", "head", "trained")
  content.append(Table(head, tuple(rows), words=(0, 1, 4)))
  content += [
    Text(f"{entry.arm}, {entry.method}: not measured: {entry.why}")
    for entry in entries
    if not len(entry.scores)
  ]
  if differences:
    content += _compared(differences, str(about.get("baseline")))
  return content


def _scored(entry: Entry) -> tuple[str, ...]:
  result = entry.facts["result"]
  head = str(entry.facts.get("head", ""))
  if not len(entry.scores):
    return "–", "0", head, ""
  estimate = statistics.mean(entry.scores[:, None], fraction=_is_share(entry))
  trained = amount(result.get("parameters"))
  return _interval(estimate, entry), str(len(entry.scores)), head, trained


def _interval(found: Estimate, entry: Entry, signed: bool = False) -> str:
  # Measures of libraries that count to 100 (BLEU) stay as they are.
  percent = entry.facts.get("scale") != 100
  return interval(found.value, found.low, found.high, percent, signed)


def _differences(
  found: Sequence[Entry],
  method: str,
  about: Mapping[str, Any],
) -> list[tuple[Entry, Estimate, float | None, float | None]]:
  names = [entry.arm for entry in found]
  if about.get("baseline") not in names:
    return []
  base = names.index(about["baseline"])
  out = []
  for number, entry in enumerate(found):
    both = (entry, found[base])
    if number == base or not all(len(e.scores) for e in both):
      continue
    seeds = _over_seeds(*both)
    p_items = None
    sizes = {e.items.shape[1] for e in both}
    if len(sizes) == 1 and sizes != {0}:
      means = [e.items.mean(axis=0) for e in both]
      p_items = items.item_difference(means[0], means[1]).p
    out.append((entry, seeds, seeds.p, p_items))
  return out


def _is_share(entry: Entry) -> bool:
  """Returns whether all scores are shares of 1; correlations may not be."""
  scores_N = np.asarray(entry.scores)
  within = (scores_N >= 0) & (scores_N <= 1)
  return entry.facts.get("scale") != 100 and bool(within.all())


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
  return statistics.difference(grids[0], grids[1], fraction=share)


def _compared(differences: Sequence[Any], baseline: str) -> list[Block]:
  by_seed = items.holm([d[2] for d in differences])
  by_item = items.holm([d[3] for d in differences])
  rows = tuple(
    (
      entry.arm,
      entry.method,
      _interval(seeds, entry, signed=True),
      p_value(one),
      p_value(other),
    )
    for (entry, seeds, _, _), one, other in zip(
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
    result = entry.facts["result"]
    ledger = result.get("ledger", {})
    examples = result.get("examples", {})
    rows.append(
      (
        entry.arm,
        f"{entry.task}, {entry.method}",
        str(entry.facts.get("chosen", "")),
        amount(ledger.get("steps")),
        amount(examples.get("train")),
        _cut(result),
        amount(ledger.get("seconds"), "seconds"),
      )
    )
  return Table(head, tuple(rows), words=(0, 1, 2))


def _cut(result: Mapping[str, Any]) -> str:
  """Examples that lost tokens, of all, in the splits where some did."""
  cut, all_of = result.get("cut", {}), result.get("examples", {})
  some = [f"{split} {n}/{all_of.get(split)}" for split, n in cut.items() if n]
  return ", ".join(some) or ("0" if cut else "–")


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
      "metric": entry.facts["metric"],
      "seed": seed,
      "value": value,
      "head": entry.facts.get("head"),
      "chosen": entry.facts.get("chosen"),
    }
    for entry in entries
    for seed, value in zip(entry.seeds, entry.scores.tolist(), strict=True)
  ]
