"""Pairs of models as a table, as JSON and CSV, and as a page with examples."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Sequence
from typing import Any

from lm_jax.evaluation import examples, figures
from lm_jax.evaluation.pairing import Pair
from lm_jax.evaluation.predictions import Record
from lm_jax.evaluation.said import Predictions
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
from lm_jax.report.metrics import p_value
from lm_jax.report.statistics import Estimate

FORMAT = 1
ALPHA = 0.05
MOST_CASES = 30  # of a pair and a group, as long as MOST_ON_PAGE allows it
MOST_ON_PAGE = 600


def as_object(
  pairs: Sequence[Pair], baseline: Predictions, notes: Sequence[str]
) -> dict[str, Any]:
  """What paired.json holds."""
  return {
    "format": FORMAT,
    "baseline": baseline.path,
    "notes": list(notes),
    "pairs": [_flat(pair, baseline.name) for pair in pairs],
  }


def as_json(
  pairs: Sequence[Pair], baseline: Predictions, notes: Sequence[str]
) -> str:
  found = as_object(pairs, baseline, notes)
  return json.dumps(found, indent=1, ensure_ascii=False)


def as_csv(pairs: Sequence[Pair], baseline: Predictions) -> str:
  rows = [_flat(pair, baseline.name) for pair in pairs]
  out = io.StringIO()
  writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return out.getvalue()


def _flat(pair: Pair, baseline: str) -> dict[str, Any]:
  found: dict[str, Any] = {
    "task": pair.task,
    "model": pair.model,
    "baseline": baseline,
    "shots": pair.shots[0],
    "baseline_shots": pair.shots[1],
    "items": pair.items,
  }
  for name, e in (
    ("model", pair.scores),
    ("baseline", pair.baseline),
    ("difference", pair.difference),
  ):
    found |= {f"{name}_value": e.value, f"{name}_low": e.low}
    found[f"{name}_high"] = e.high
  return found | {
    "p": pair.difference.p,
    "p_holm": pair.p,
    "both_right": pair.both,
    "only_model": pair.only,
    "only_baseline": pair.only_baseline,
    "neither": pair.neither,
    "alike": pair.alike,
  }


def summary(
  pairs: Sequence[Pair], baseline: Predictions, notes: Sequence[str]
) -> list[Block]:
  """What the terminal shows."""
  return _opening(pairs, baseline, notes, _table(pairs, baseline.name, False))


def _opening(
  pairs: Sequence[Pair],
  baseline: Predictions,
  notes: Sequence[str],
  table: Table,
) -> list[Block]:
  return [
    Heading(f"{_models(pairs)} against {baseline.name}, item by item"),
    Text(_answer(pairs, baseline.name), strong=True),
    table,
    Text(_reading(pairs)),
    *map(Text, notes),
  ]


def whole(
  pairs: Sequence[Pair],
  baseline: Predictions,
  notes: Sequence[str],
  command: Sequence[str],
) -> tuple[list[Block], dict[str, bytes]]:
  """What the page shows, and its figures by file name."""
  image, files = figures.differences(_bars(pairs), baseline.name)
  table = _table(pairs, baseline.name, True)
  found = _opening(pairs, baseline, notes, table)
  found += [image] if image else []
  most = max(4, min(MOST_CASES, MOST_ON_PAGE // (3 * len(pairs))))
  for pair in pairs:
    found += _examples(pair, baseline.name, most)
  made = Code(" ".join(map(shlex.quote, command)), "Command")
  return [*found, Heading("How it was made"), made], files


def image_of(blocks: Sequence[Block]) -> Image | None:
  """The figure among some blocks."""
  return next((b for b in blocks if isinstance(b, Image)), None)


def _models(pairs: Sequence[Pair]) -> str:
  names = list(dict.fromkeys(pair.model for pair in pairs))
  if len(names) > 4:
    return f"{len(names)} models"
  return " and ".join([", ".join(names[:-1]), names[-1]]).removeprefix(" and ")


def _verdict(pair: Pair) -> str:
  if pair.p is None:
    return "no test possible"
  if pair.p >= ALPHA:
    return "not shown to differ"
  return "better" if pair.difference.value > 0 else "worse"


def _answer(pairs: Sequence[Pair], baseline: str) -> str:
  parts = []
  for model in dict.fromkeys(pair.model for pair in pairs):
    own = [pair for pair in pairs if pair.model == model]
    told = []
    for verdict in ("better", "worse"):
      names = [_task(pair) for pair in own if _verdict(pair) == verdict]
      if names:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        told.append(f"{verdict} in {', '.join(names[:6])}{more}")
    rest = sum(_verdict(pair) not in ("better", "worse") for pair in own)
    if told and rest:
      told.append(f"not shown to differ in {rest} more")
    parts.append(f"{model}: {'; '.join(told) or 'not shown to differ'}")
  return f"Against {baseline}, these checkpoints only: {'. '.join(parts)}."


def _task(pair: Pair) -> str:
  mine, theirs = pair.shots
  if mine is None and theirs is None:
    return pair.task
  if mine == theirs:
    return f"{pair.task}, {mine} shots"
  shown = ["none" if n is None else str(n) for n in pair.shots]
  return f"{pair.task}, shots: {shown[0]} against {shown[1]}"


def _shares(pair: Pair) -> bool:
  """Are all its scores between 0 and 1, so that percent mean something?"""
  ends = [pair.scores, pair.baseline]
  return all((e.low or 0) >= 0 and (e.high or 0) <= 1 for e in ends) and all(
    0 <= e.value <= 1 for e in ends
  )


def _shown(pair: Pair, estimate: Estimate, signed: bool = False) -> str:
  scale, digits = (100, 1) if _shares(pair) else (1, 3)
  sign = "+" if signed else ""

  def number(value: float) -> str:
    return f"{value * scale:{sign}.{digits}f}".replace("-", "−")

  text = number(estimate.value)
  if estimate.low is not None and estimate.high is not None:
    text += f" [{number(estimate.low)}, {number(estimate.high)}]"
  return text


def _table(pairs: Sequence[Pair], baseline: str, intervals: bool) -> Table:
  """A line for each pair; `intervals` of both models, too."""
  several = len({pair.model for pair in pairs}) > 1
  alike = any(pair.alike for pair in pairs)
  other, it = _short(baseline), "it" if several else _short(pairs[0].model)
  head = ["task", *(["model"] if several else []), "items", other]
  head += ["model" if several else it, "difference", "p"]
  head += ["both", f"only {it}", f"only {other}", "neither"]
  head += ["alike"] if alike else []
  rows = []
  for pair in pairs:
    row = [_task(pair), *([pair.model] if several else [])]
    both = [pair.baseline, pair.scores]
    if not intervals:
      both = [Estimate(e.value) for e in both]
    row += [f"{pair.items:,}", *(_shown(pair, e) for e in both)]
    row += [_shown(pair, pair.difference, signed=True), p_value(pair.p)]
    counts = [pair.both, pair.only, pair.only_baseline, pair.neither]
    counts += [pair.alike] if alike else []
    rows.append((*row, *(f"{count:,}" for count in counts)))
  return Table(tuple(head), tuple(rows), words=(0, 1) if several else (0,))


def _short(name: str, most: int = 14) -> str:
  """For the head of a column of numbers."""
  return name if len(name) <= most else f"{name[: most - 1]}…"


def _reading(pairs: Sequence[Pair]) -> str:
  count = len(pairs)
  unit = "Percent and points" if all(map(_shares, pairs)) else "Scores"
  text = (
    f"{unit}, with 95 % intervals over items, each on its own. p: exact"
    " McNemar test over items, or sign flips where there are scores other than"
    f" 0 and 1, with Holm's correction for {count}"
    f" comparison{'s' if count > 1 else ''}. These checkpoints only: another"
    " seed of either model may differ by more. Then the items that both have"
    " right, that only one has, and that neither has."
  )
  if any(pair.alike for pair in pairs):
    text += (
      " Of scores between 0 and 1, the higher one counts as the only right"
      " one, and equal ones as alike."
    )
  return text


def _bars(pairs: Sequence[Pair]) -> list[figures.Bar]:
  several = len({pair.model for pair in pairs}) > 1
  bars = []
  for pair in pairs:
    if not _shares(pair):
      continue
    d = pair.difference
    name = _task(pair) + (f": {pair.model}" if several else "")
    low = None if d.low is None else 100 * d.low
    high = None if d.high is None else 100 * d.high
    bars.append(figures.Bar(name, 100 * d.value, low, high))
  return bars


def _examples(pair: Pair, baseline: str, most: int) -> list[Block]:
  """The items where the two differ, so many of each group."""
  groups = (
    f"{pair.model} is better",
    f"{baseline} is better",
    "neither is right, and they differ",
  )
  chosen: dict[str, list[Case]] = {group: [] for group in groups}
  counts = dict.fromkeys(groups, 0)
  for mine, theirs in pair.differing:
    difference = mine["score"] - theirs["score"]
    group = groups[0 if difference > 0 else 1 if difference < 0 else 2]
    counts[group] += 1
    if len(chosen[group]) < most:
      chosen[group].append(_case(mine, theirs, pair.model, baseline, group))
  cases = tuple(case for found in chosen.values() for case in found)
  title = Heading(f"{_task(pair)}: where {pair.model} and {baseline} differ")
  if not cases:
    return [title, Text(f"Nowhere: {pair.items:,} items are answered alike.")]
  told = "; ".join(f"{group}: {n:,}" for group, n in counts.items() if n)
  text = f"Of {pair.items:,} items, {told}."
  left = sum(counts.values()) - len(cases)
  if left:
    text += f" Shown are {most} of each at most; {left:,} are left out."
  return [title, Text(text), Cases(groups, cases)]


def _case(
  mine: Record, theirs: Record, model: str, baseline: str, group: str
) -> Case:
  """What both were asked is what their records have in common."""
  own, other = examples.further(mine), examples.further(theirs)
  same = [n for n in own if n in theirs and mine[n] == theirs[n]]
  parts = examples.asked(mine, same)
  parts += examples.answered(mine, model, [n for n in own if n not in same])
  parts += examples.answered(
    theirs, baseline, [n for n in other if n not in same]
  )
  title = f"id {examples.shown(mine['id'], 80)}"
  if mine.get("draw"):
    title += f", draw {mine['draw']}"
  return Case(title, group, tuple(parts))
