"""The HTML form of a report: one file, no script, no links."""

from __future__ import annotations

import base64
import collections
import html
from collections.abc import Mapping, Sequence

from lm_jax.report.blocks import (
  ANSWER,
  Block,
  Card,
  Case,
  Cases,
  Heading,
  Image,
  Table,
  Text,
  printable,
)

MOST_GROUPS = 8  # of examples that can be filtered

_STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; max-width: 58rem; padding: 1.5rem 1rem 4rem;
  font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif;
  color: #222; background: #fff; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .5rem 0; max-width: 44rem; }
p.strong { font-size: 1.1rem; font-weight: 600; }
dl.card { display: grid; grid-template-columns: max-content 1fr;
  gap: .35rem 1.1rem; margin: .75rem 0 1.25rem; padding: .9rem 1.1rem;
  border: 1.5px solid #444; border-radius: .4rem; max-width: 52rem; }
dl.card dt { color: #555; } dl.card dd { margin: 0; }
dl.card .answer { font-size: 1.1rem; font-weight: 600; }
@media screen and (max-width: 36rem) {
  dl.card { display: block; } dl.card dd { margin: 0 0 .4rem; }
}
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
.cases { margin: .75rem 0; }
.cases > input { position: absolute; opacity: 0; }
.cases > label { display: inline-block; border: 1px solid #bbb;
  border-radius: 1rem; padding: .1rem .8rem; margin: 0 .3rem .4rem 0;
  font-size: .85rem; cursor: pointer; }
.cases > input:checked + label { background: #333; border-color: #333;
  color: #fff; }
.cases > input:focus-visible + label { outline: 2px solid #0072b2; }
.cases > article { border: 1px solid #ddd; border-radius: .4rem;
  padding: .5rem .8rem; margin: .6rem 0; font-size: .9rem; }
.cases h3 { font-size: .85rem; margin: 0 0 .2rem; color: #555;
  font-weight: 600; }
.cases dl { display: grid; grid-template-columns: minmax(5rem, 11rem) 1fr;
  gap: .15rem .9rem; margin: 0; }
.cases dt { color: #555; } .cases dd { margin: 0; white-space: pre-wrap; }
.cases .answer { font-weight: 600; }
@media screen and (max-width: 36rem) {
  .cases dl { display: block; } .cases dd { margin: 0 0 .3rem; }
}
pre { background: #f6f6f4; padding: .75rem; font-size: .8rem; margin: .5rem 0;
  white-space: pre-wrap; }
@media print {
  .cases > label { display: none; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  table { font-size: 8pt; } th, td { padding-left: .6rem; }
  .wide { overflow: visible; } figure img { min-width: 0; max-width: 15cm; }
  figure, tr, article { break-inside: avoid; } h2 { break-after: avoid; }
}
"""
# Without a script: the button that is pressed hides what is of other groups.
_FILTERS = "".join(
  f".cases > .g{i}:checked ~ article:not(.g{i}) {{ display: none; }}\n"
  for i in range(MOST_GROUPS)
)


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


def _html_card(card: Card) -> str:
  rows = []
  for name, text in card.rows:
    kind = ' class="answer"' if name == ANSWER else ""
    rows.append(
      f"<dt>{html.escape(name)}</dt><dd{kind}>{html.escape(text)}</dd>"
    )
  return f'<dl class="card">{"".join(rows)}</dl>'


def _html_case(case: Case, groups: tuple[str, ...]) -> str:
  rows = []
  for part in case.parts:
    kind = ' class="answer"' if part.strong else ""
    # The direction of writing is that of the text itself.
    rows.append(
      f"<dt>{html.escape(part.name)}</dt>"
      f'<dd{kind} dir="auto">{html.escape(part.text)}</dd>'
    )
  number = groups.index(case.group)
  title = html.escape(f"{case.title}: {case.group}")
  return (
    f'<article class="g{number}"><h3>{title}</h3>\n<dl>{"".join(rows)}</dl>'
    "</article>"
  )


def _html_cases(block: Cases, number: int) -> str:
  """Formats examples below buttons, each of which shows one group alone."""
  name = f"cases{number}"
  counts = collections.Counter(case.group for case in block.cases)
  buttons = [("all", len(block.cases), "")]
  buttons += [
    (group, counts[group], f' class="g{i}"')
    for i, group in enumerate(block.groups)
    if counts[group]
  ]
  parts = []
  for i, (group, count, kind) in enumerate(buttons):
    checked = "" if i else " checked"
    parts.append(
      f'<input type="radio" name="{name}" id="{name}-{i}"{kind}{checked}>'
      f'<label for="{name}-{i}">{html.escape(group)} ({count})</label>'
    )
  parts += [_html_case(case, block.groups) for case in block.cases]
  inside = "\n".join(parts)
  return f'<section class="cases">\n{inside}\n</section>'


def _html_block(block: Block, svg: Mapping[str, bytes], number: int) -> str:
  if isinstance(block, Heading):
    level = "h1" if number == 0 else "h2"
    return f"<{level}>{html.escape(block.text)}</{level}>"
  if isinstance(block, Text):
    kind = ' class="strong"' if block.strong else ""
    return f"<p{kind}>{html.escape(block.text)}</p>"
  if isinstance(block, Card):
    return _html_card(block)
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
  if isinstance(block, Cases):
    return _html_cases(block, number)
  title = html.escape(block.title)
  label = f'<p class="label">{title}</p>' if title else ""
  return f"{label}<pre>{html.escape(block.text)}</pre>"


def to_html(
  blocks: Sequence[Block], title: str, svg: Mapping[str, bytes]
) -> str:
  """Formats blocks as the page `report.html`.

  svg: the bytes of each figure's SVG by its stem. They go in as images, in
  which nothing can run and no identifier can clash.
  """
  body = "\n".join(_html_block(block, svg, i) for i, block in enumerate(blocks))
  return printable(
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    f"<title>{html.escape(title)}</title>\n<style>{_STYLE}{_FILTERS}</style>\n"
    f"</head>\n<body>\n{body}\n</body>\n</html>\n"
  )
