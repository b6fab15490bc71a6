"""The main table of an experiment, for papers, sheets and programs."""

from __future__ import annotations

import json

from lm_jax.report import (
  blocks,
  floor,
  latex,
  metrics,
  page,
  prose,
  records,
  sheet,
  translated,
)
from lm_jax.report import tables as tables_lib
from lm_jax.report.blocks import Heading, Table, Text
from lm_jax.report.compare import Analysis
from lm_jax.report.language import Language


def table(analysis: Analysis) -> Table:
  """Joins what arms reached with their differences to the baseline.

  A row for each arm; the columns of the differences are those of the page.
  """
  names = page.yardsticks(analysis)
  joined = [
    block
    for block in (
      *tables_lib.yardsticks(analysis, names),
      *tables_lib.differences(analysis),
    )
    if isinstance(block, Table)
  ]
  head, words = ["arm", "seeds"], [0]
  rows = {arm.name: [arm.name, str(arm.done)] for arm in analysis.arms}
  for part in joined:
    words += [i + len(head) - 1 for i in part.words if i]
    head += part.head[1:]
    cells = {row[0]: row[1:] for row in part.rows}
    for arm, row in rows.items():
      row += cells.get(arm, ("–",) * (len(part.head) - 1))
  return Table(tuple(head), tuple(map(tuple, rows.values())), tuple(words))


def formatted(
  analysis: Analysis, answer: str, form: str, language: Language
) -> str:
  """Formats the main table.

  Args:
    answer: to the experiment's question, in words.
    form: "latex", "markdown", "csv" or "json". The last two hold numbers as
      they were computed, a row or object for each arm (`records.from_arms`).
    language: of the words of the first two.
  """
  experiment = analysis.experiment
  if form == "csv":
    rows = records.from_arms(analysis)
    head = list(rows[0])
    return sheet.text(head, ([row[name] for name in head] for row in rows))
  if form == "json":
    content = {
      "name": experiment.name,
      "question": experiment.subject.question,
      "answer": answer,
      "metric": analysis.metric,
      "baseline": experiment.baseline,
      "arms": records.from_arms(analysis),
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
  parts = (prose.intervals(analysis), _correction(analysis))
  told = " ".join(filter(None, (*parts, *floor.sentences(experiment))))
  if form == "latex":
    caption = f"{experiment.subject.question} {told}"
    [said] = translated.blocks([table(analysis)], language)
    assert isinstance(said, Table)
    return latex.table(said, language.say(caption), experiment.name)
  title = " ".join(experiment.subject.title.split())
  lines: list[blocks.Block] = [Heading(title), Text(answer, strong=True)]
  lines += [table(analysis), Text(told)]
  return blocks.markdown(translated.blocks(lines, language))


def _correction(analysis: Analysis) -> str:
  count = len(analysis.differences)
  if count == 0:
    return ""
  name = metrics.get(analysis.metric or "").label
  many = f"{count} comparisons" if count > 1 else "one comparison"
  return f"Differences are in {name}; p after Holm's correction for {many}."
