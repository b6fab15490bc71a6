"""The report as a whole, and its HTML form: one file, no script, no links."""

from __future__ import annotations

import base64
import html

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import prose, tables
from lm_jax.report.blocks import (
  Block,
  Code,
  Heading,
  Image,
  Table,
  Text,
  printable,
)
from lm_jax.report.compare import Analysis
from lm_jax.report.ranking import Ranking

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 58rem; padding: 1.5rem 1rem 4rem;
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  color: #222; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .5rem 0; max-width: 44rem; }
p.strong { font-size: 1.1rem; font-weight: 600; }
.wide { overflow-x: auto; margin: .75rem 0; }
table { border-collapse: collapse; font-size: .9rem;
  font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: .3rem 0 .3rem 1.1rem; text-align: right;
  vertical-align: top; white-space: nowrap; }
th { font-weight: 600; border-bottom: 1.5px solid #444;
  vertical-align: bottom; white-space: normal; }
td { border-bottom: 1px solid #e4e4e4; }
th.words, td.words { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
td.words + td.words, td + td.words:last-child { white-space: normal;
  min-width: 11rem; overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; max-width: 46rem; min-width: 28rem;
  height: auto; }
figcaption, .label { color: #555; font-size: .9rem; max-width: 44rem; }
pre { background: #f6f6f4; padding: .75rem; font-size: .8rem; margin: .5rem 0;
  white-space: pre-wrap; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  table { font-size: 8pt; } th, td { padding-left: .6rem; }
  .wide { overflow: visible; } figure img { min-width: 0; max-width: 15cm; }
  figure, tr { break-inside: avoid; } h2 { break-after: avoid; }
}
"""


def _line(value: object) -> str:
  return " ".join(str(value or "").split())


def _opening(analysis: Analysis) -> list[Block]:
  experiment = analysis.experiment
  about = experiment.about
  where = [_line(about.get(key)) for key in ("date", "machine")]
  facts = [
    prose.counts(experiment),
    f"Baseline: {experiment.baseline}.",
    f"({', '.join(filter(None, where))})" if any(where) else "",
  ]
  blocks: list[Block] = [Heading(experiment.name)]
  if about.get("question"):
    blocks.append(Text(_line(about["question"])))
  blocks.append(Text(prose.answer(analysis), strong=True))
  blocks.append(Text(" ".join(filter(None, facts))))
  blocks.append(Text(prose.intervals(analysis)))
  return blocks


def _yardsticks(analysis: Analysis) -> list[str]:
  """The metrics of the main table; the parts of the pairs have their own."""
  measured = {name for arm in analysis.arms for name in arm.metrics}
  return [
    name
    for name, metric in metrics_lib.METRICS.items()
    if name in measured
    and metric.higher_better is not None
    and not name.startswith("minimal_pairs/")
  ]


def _section(title: str, blocks: list[Block]) -> list[Block]:
  return [Heading(title), *blocks] if blocks else []


def summary(analysis: Analysis, found: list[Ranking]) -> list[Block]:
  """What the terminal shows."""
  spent = ("steps", "tokens", "targets", "flops", "seconds")
  names = _yardsticks(analysis)
  reached: list[Block] = []
  if names:
    reached = [tables.yardsticks(analysis, names, intervals=False)]
  return [
    *_opening(analysis),
    tables.budgets(analysis, spent),
    *reached,
    *map(Text, prose.notes(analysis)),
    *tables.differences(analysis),
    *tables.chance(analysis),
    *_section("Ranking at equal spend", tables.ranking(analysis, found)),
    *_section("Not done", tables.failures(analysis.experiment)),
  ]


def _over(analysis: Analysis) -> str:
  """What the intervals of the main table range over."""
  if analysis.regime == "t":
    return "seeds, on these items; one seed borrows the spread of the others"
  name = analysis.metric or ""
  if any(arm.items for arm in analysis.arms):
    return f"seeds, and over items too for {metrics_lib.of(name).label}"
  return "seeds"


def whole(
  analysis: Analysis, found: list[Ranking], figures: list[Image]
) -> list[Block]:
  """What the pages show."""
  experiment = analysis.experiment
  by_stem = {figure.stem: figure for figure in figures}

  def figure(*stems: str) -> list[Block]:
    return [by_stem[stem] for stem in stems if stem in by_stem]

  names = _yardsticks(analysis)
  measured = {name for arm in analysis.arms for name in arm.metrics}
  parts = [n for n in metrics_lib.METRICS if n.startswith("minimal_pairs/")]
  parts = [name for name in parts if name in measured]
  reached: list[Block] = []
  if names:
    reached = [tables.yardsticks(analysis, names)]
    if analysis.regime != "items":
      reached.append(Text(f"Intervals: 95% over {_over(analysis)}."))
    reached += map(Text, prose.notes(analysis))
  if parts:
    reached.append(tables.yardsticks(analysis, parts))
  about = experiment.about
  made: list[Block] = []
  if about.get("command"):
    made.append(Code(str(about["command"]), "Command"))
  if about.get("docstring"):
    made.append(Code(str(about["docstring"]).strip(), "The experiment"))
  versions = about.get("versions")
  if isinstance(versions, dict) and versions:
    text = ", ".join(f"{k} {v}" for k, v in versions.items())
    made.append(Text(f"Versions: {text}."))
  errors = [
    Code(run.traceback.strip(), f"Traceback of {run.name}")
    for run in experiment.runs
    if run.traceback and not run.done
  ]
  return [
    *_opening(analysis),
    *_section(
      "Difference to the baseline",
      [*figure("differences"), *tables.differences(analysis)],
    ),
    *_section("What each arm reached", reached),
    *_section("Above chance?", tables.chance(analysis)),
    *_section("Learning curves", figure("curves_flops", "curves_tokens")),
    *_section("Ranking at equal spend", tables.ranking(analysis, found)),
    *_section(
      "Budgets, a run of each arm",
      [tables.budgets(analysis, metrics_lib.LEDGER)],
    ),
    *_section("Each objective's own loss", figure("validation_loss")),
    *_section(
      "Runs that are not done", [*tables.failures(experiment), *errors]
    ),
    *_section("How to read this", [*map(Text, prose.reading(analysis))]),
    *_section("How it was made", made),
  ]


def _html_table(table: Table) -> str:
  def cells(row: tuple[str, ...], tag: str) -> str:
    out = []
    for i, cell in enumerate(row):
      kind = ' class="words"' if i in table.words else ""
      out.append(f"<{tag}{kind}>{html.escape(cell)}</{tag}>")
    return f"<tr>{''.join(out)}</tr>"

  body = "\n".join(cells(row, "td") for row in table.rows)
  return (
    f'<div class="wide" tabindex="0"><table>\n<thead>{cells(table.head, "th")}'
    f"</thead>\n<tbody>\n{body}\n</tbody></table></div>"
  )


def _html_block(block: Block, svg: dict[str, bytes], first: bool) -> str:
  if isinstance(block, Heading):
    level = "h1" if first else "h2"
    return f"<{level}>{html.escape(block.text)}</{level}>"
  if isinstance(block, Text):
    kind = ' class="strong"' if block.strong else ""
    return f"<p{kind}>{html.escape(block.text)}</p>"
  if isinstance(block, Table):
    return _html_table(block)
  if isinstance(block, Image):
    data = base64.b64encode(svg[block.stem]).decode()
    caption = html.escape(block.caption)
    return (
      f'<figure><div class="wide" tabindex="0"><img alt="{caption}" '
      f'src="data:image/svg+xml;base64,{data}"></div>'
      f"<figcaption>{caption}</figcaption></figure>"
    )
  title = html.escape(block.title)
  label = f'<p class="label">{title}</p>' if title else ""
  return f"{label}<pre>{html.escape(block.text)}</pre>"


def to_html(blocks: list[Block], title: str, svg: dict[str, bytes]) -> str:
  """`report.html`.

  svg: the bytes of each figure's SVG by its stem. They go in as images, in
  which nothing can run and no identifier can clash.
  """
  body = "\n".join(
    _html_block(block, svg, first=i == 0) for i, block in enumerate(blocks)
  )
  return printable(
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n"
    f"</head>\n<body>\n{body}\n</body>\n</html>\n"
  )
