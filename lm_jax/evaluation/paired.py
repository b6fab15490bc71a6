"""Pairs of models as a table, and as JSON and CSV."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lm_jax.evaluation.paired_predictions import Predictions
from lm_jax.evaluation.pairing import Pair
from lm_jax.report import sheet
from lm_jax.report.blocks import Block, Heading, Table, Text
from lm_jax.report.metrics import interval, p_value
from lm_jax.statistics.estimates import Estimate

FORMAT = 1
ALPHA = 0.05


def as_object(
  pairs: Sequence[Pair], baseline: Predictions, notes: Sequence[str]
) -> dict[str, Any]:
  """Returns the content of paired.json."""
  return {
    "format": FORMAT,
    "baseline": baseline.path,
    "notes": list(notes),
    "pairs": [_flat(pair, baseline.name) for pair in pairs],
  }


def as_json(
  pairs: Sequence[Pair], baseline: Predictions, notes: Sequence[str]
) -> str:
  content = as_object(pairs, baseline, notes)
  return json.dumps(content, indent=1, ensure_ascii=False)


def as_csv(pairs: Sequence[Pair], baseline: Predictions) -> str:
  rows = [_flat(pair, baseline.name) for pair in pairs]
  return sheet.text(list(rows[0]), [list(row.values()) for row in rows])


def _flat(pair: Pair, baseline: str) -> dict[str, Any]:
  row: dict[str, Any] = {
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
    row |= {f"{name}_value": e.value, f"{name}_low": e.low}
    row[f"{name}_high"] = e.high
  return row | {
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
  """Builds the blocks that the terminal shows."""
  return opening(pairs, baseline, notes, table_of(pairs, baseline.name, False))


def opening(
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


def _models(pairs: Sequence[Pair]) -> str:
  names = list(dict.fromkeys(pair.model for pair in pairs))
  if len(names) > 4:
    return f"{len(names)} models"
  return " and ".join([", ".join(names[:-1]), names[-1]]).removeprefix(" and ")


def _verdict(pair: Pair) -> str:
  """Returns "better" or "worse", or "" where neither is shown."""
  if pair.p is None or pair.p >= ALPHA:
    return ""
  return "better" if pair.difference.value > 0 else "worse"


def _answer(pairs: Sequence[Pair], baseline: str) -> str:
  """Says of each model in which tasks it is better or worse.

  In which it is not shown to differ, or can't be tested, is only counted.
  """
  sentences = []
  for model in dict.fromkeys(pair.model for pair in pairs):
    verdicts = {
      task_name(pair): _verdict(pair) for pair in pairs if pair.model == model
    }
    parts: list[str] = []
    for verdict in ("better", "worse"):
      names = [name for name, own in verdicts.items() if own == verdict]
      if names:
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        start = f"is {verdict} than {baseline}" if not parts else verdict
        parts.append(f"{start} on {', '.join(names[:6])}{more}")
    rest = sum(not own for own in verdicts.values())
    if not parts:
      sentences.append(f"{model} is not shown to differ from {baseline}.")
      continue
    sentence = f"{model} {' and '.join(parts)}"
    if rest:
      sentence += f"; no difference is shown on {rest} more"
    sentences.append(f"{sentence}.")
  return f"{' '.join(sentences)} These checkpoints only."


def task_name(pair: Pair) -> str:
  of_model, of_baseline = pair.shots
  if of_model is None or of_baseline is None:
    return pair.task
  both = (
    f"{of_model} shots"
    if of_model == of_baseline
    else f"{of_model} and {of_baseline} shots"
  )
  return f"{pair.task}, {both}"


def shares(pair: Pair) -> bool:
  """Returns whether all scores are in [0, 1], so that percents make sense."""
  ends = [pair.scores, pair.baseline]
  return all((e.low or 0) >= 0 and (e.high or 0) <= 1 for e in ends) and all(
    0 <= e.value <= 1 for e in ends
  )


def _shown(pair: Pair, estimate: Estimate, signed: bool = False) -> str:
  ends = estimate.low, estimate.high
  return interval(estimate.value, *ends, shares(pair), signed)


def table_of(pairs: Sequence[Pair], baseline: str, intervals: bool) -> Table:
  """A line for each pair; `intervals` of both models, too."""
  several = len({pair.model for pair in pairs}) > 1
  alike = any(pair.alike for pair in pairs)
  other, it = _short(baseline), "it" if several else _short(pairs[0].model)
  head = ["task", *(["model"] if several else []), "items", other]
  head += [it, "difference", "p"]
  head += ["both", f"only {it}", f"only {other}", "neither"]
  head += ["alike"] if alike else []
  rows = []
  for pair in pairs:
    row = [task_name(pair), *([pair.model] if several else [])]
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
  """Shortens a name for the head of a column of numbers."""
  return name if len(name) <= most else f"{name[: most - 1]}…"


def _reading(pairs: Sequence[Pair]) -> str:
  count = len(pairs)
  unit = "Percent and points" if all(map(shares, pairs)) else "Scores"
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
