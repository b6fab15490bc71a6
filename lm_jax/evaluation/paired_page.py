"""The page of pairs of models: the table, a figure, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_jax.evaluation import examples, figures, paired
from lm_jax.evaluation.paired_predictions import Predictions
from lm_jax.evaluation.pairing import Pair
from lm_jax.evaluation.predictions import Record
from lm_jax.report.blocks import Block, Case, Cases, Code, Heading, Text
from lm_jax.support import invocation

MOST_CASES = 30  # of a pair and a group, as long as MOST_ON_PAGE allows it
MOST_ON_PAGE = 600


def build(
  pairs: Sequence[Pair],
  baseline: Predictions,
  notes: Sequence[str],
  command: Sequence[str],
) -> tuple[list[Block], dict[str, bytes]]:
  """Builds the blocks of the page, and its figures by file name."""
  image, files = figures.differences(_bars(pairs), baseline.name)
  table = paired.table_of(pairs, baseline.name, True)
  content = paired.opening(pairs, baseline, notes, table)
  content += [image] if image else []
  most = max(4, min(MOST_CASES, MOST_ON_PAGE // (3 * len(pairs))))
  for pair in pairs:
    content += _examples(pair, baseline.name, most)
  made = Code(invocation.line(command), "Command")
  return [*content, Heading("How it was made"), made], files


def _bars(pairs: Sequence[Pair]) -> list[figures.Bar]:
  several = len({pair.model for pair in pairs}) > 1
  bars = []
  for pair in pairs:
    if not paired.shares(pair):
      continue
    d = pair.difference
    name = paired.task_name(pair) + (f": {pair.model}" if several else "")
    low = None if d.low is None else 100 * d.low
    high = None if d.high is None else 100 * d.high
    bars.append(figures.Bar(name, 100 * d.value, low, high))
  return bars


def _examples(pair: Pair, baseline: str, most: int) -> list[Block]:
  """Shows items where the two differ, up to `most` of each group."""
  groups = (
    f"{pair.model} is better",
    f"{baseline} is better",
    "equal scores, other answers",
  )
  chosen: dict[str, list[Case]] = {group: [] for group in groups}
  counts = dict.fromkeys(groups, 0)
  for of_model, of_baseline in pair.differing:
    difference = of_model["score"] - of_baseline["score"]
    group = groups[0 if difference > 0 else 1 if difference < 0 else 2]
    counts[group] += 1
    if len(chosen[group]) < most:
      chosen[group].append(
        _case(of_model, of_baseline, pair.model, baseline, group)
      )
  cases = tuple(case for of_group in chosen.values() for case in of_group)
  title = Heading(
    f"{paired.task_name(pair)}: where {pair.model} and {baseline} differ"
  )
  if not cases:
    return [title, Text(f"Nowhere: {pair.items:,} items are answered alike.")]
  group_counts = "; ".join(
    f"{group} on {n:,}" for group, n in counts.items() if n
  )
  text = f"Of {pair.items:,} items, {group_counts}."
  left = sum(counts.values()) - len(cases)
  if left:
    text += f" Shown are {most} of each at most; {left:,} are left out."
  return [title, Text(text), Cases(groups, cases)]


def _case(
  of_model: Record, of_baseline: Record, model: str, baseline: str, group: str
) -> Case:
  """Shows an item; fields that both records share are the question."""
  texts = [*_texts(of_model), *_texts(of_baseline)]
  own, other = (
    [n for n in examples.further(record) if record[n] not in texts]
    for record in (of_model, of_baseline)
  )
  same = [n for n in own if n in of_baseline and of_model[n] == of_baseline[n]]
  first = of_model if "asked" in of_model else of_baseline
  parts = examples.asked(first, same)
  parts += examples.answered(of_model, model, [n for n in own if n not in same])
  parts += examples.answered(
    of_baseline, baseline, [n for n in other if n not in same]
  )
  title = f"id {examples.shown(of_model['id'], 80)}"
  if of_model.get("draw"):
    title += f", draw {of_model['draw']}"
  return Case(title, group, tuple(parts))


def _texts(record: Record) -> list[Any]:
  """Returns the texts of the question that have names of their own."""
  value = record.get("asked")
  return list(value.values()) if isinstance(value, dict) else []
