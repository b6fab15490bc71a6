"""Blocks of a report as parts of an HTML page, every text escaped."""

from __future__ import annotations

import collections
import html
from collections.abc import Callable, Mapping, Sequence

from lm_jax.report import style, svg
from lm_jax.report.blocks import (
  Arms,
  Block,
  Card,
  Case,
  Cases,
  Contents,
  Details,
  Heading,
  Heat,
  Image,
  Table,
  Text,
)

MOST_GROUPS = 8  # of examples that can be filtered
Say = Callable[[str], str]
_LEVELS = 10  # colours of a heat map (page.css)

# Without a script: the button that is pressed hides what is of other groups.
FILTERS = "".join(
  f".cases > .g{i}:checked ~ article:not(.g{i}) {{ display: none; }}\n"
  for i in range(MOST_GROUPS)
)


def body(
  blocks: Sequence[Block],
  arms: Sequence[str],
  svgs: Mapping[str, bytes],
  say: Say = str,
) -> str:
  """Formats the body of a page.

  Args:
    arms: that have a colour, in their order.
    svgs: the bytes of each figure's SVG by its stem.
    say: says the page's own words in its language; blocks are said already.
  """
  places = {name: place for place, name in enumerate(arms)}
  return "\n".join(
    _block(block, i, blocks, places, svgs, say)
    for i, block in enumerate(blocks)
  )


def _block(
  block: Block,
  number: int,
  blocks: Sequence[Block],
  places: Mapping[str, int],
  svgs: Mapping[str, bytes],
  say: Say,
) -> str:
  if isinstance(block, Heading):
    level = "h2" if number else "h1"
    return f'<{level} id="part{number}">{html.escape(block.text)}</{level}>'
  if isinstance(block, Text):
    kind = ' class="strong"' if block.strong else ""
    return f"<p{kind}>{html.escape(block.text)}</p>"
  if isinstance(block, Card):
    return _card(block)
  if isinstance(block, Table):
    return _table(block, places)
  if isinstance(block, Image):
    return _figure(block, svgs[block.stem], number)
  if isinstance(block, Cases):
    return _cases(block, number, say)
  if isinstance(block, Arms):
    return _buttons(places, say)
  if isinstance(block, Contents):
    return _contents(blocks, say)
  if isinstance(block, Details):
    inner = "\n".join(
      _block(one, number, blocks, {}, svgs, say) for one in block.blocks
    )
    title = html.escape(block.title)
    return f"<details><summary>{title}</summary>\n{inner}\n</details>"
  title = html.escape(block.title)
  label = f'<p class="label">{title}</p>' if title else ""
  return f"{label}<pre>{html.escape(block.text)}</pre>"


def _contents(blocks: Sequence[Block], say: Say) -> str:
  links = [
    f'<a href="#part{i}">{html.escape(block.text)}</a>'
    for i, block in enumerate(blocks)
    if i and isinstance(block, Heading)
  ]
  return f'<nav aria-label="{say("Contents")}">{" ".join(links)}</nav>'


def _swatch(place: int) -> str:
  colour, dashes = style.slot(place)
  return f'<span class="swatch c{colour} d{dashes}"></span>'


def _buttons(places: Mapping[str, int], say: Say) -> str:
  """Buttons that the script makes work, and shows."""
  buttons = [
    f'<button type="button" aria-pressed="true" data-switch="{place}">'
    f"{_swatch(place)}<bdi>{html.escape(name)}</bdi></button>"
    for name, place in places.items()
  ]
  buttons.append(f'<button type="button">{say("all arms")}</button>')
  label = say("Arms that are shown")
  return (
    f'<div class="arms" role="group" aria-label="{label}" hidden>'
    f"{''.join(buttons)}</div>"
  )


def _table(table: Table, places: Mapping[str, int]) -> str:
  heat = isinstance(table, Heat)
  of_arms = table.head[0] == table.arms

  def cells(row: tuple[str, ...], tag: str, shares=()) -> str:
    own = places.get(row[0]) if of_arms and tag == "td" else None
    out = []
    for i, cell in enumerate(row):
      kind = "words" if i in table.words else ""
      text = html.escape(cell)
      if i and heat and shares and shares[i - 1] is not None:
        kind = f"h{min(_LEVELS - 1, int(_LEVELS * shares[i - 1]))}"
        text = text.replace(" [", " <small>[") + "</small>" * (" [" in text)
      if i == 0 and own is not None:
        text = f"{_swatch(own)}<bdi>{text}</bdi>"
      kind = f' class="{kind}"' if kind else ""
      out.append(f"<{tag}{kind}>{text}</{tag}>")
    mark = "" if own is None else f' data-arm="{own}"'
    return f"<tr{mark}>{''.join(out)}</tr>"

  shares = table.shares if isinstance(table, Heat) else [()] * len(table.rows)
  rows = "\n".join(
    cells(row, "td", own) for row, own in zip(table.rows, shares, strict=True)
  )
  kind = ' class="heat"' if heat else ""
  return (
    f'<div class="wide" tabindex="0"><table{kind}>\n'
    f"<thead>{cells(table.head, 'th')}</thead>\n"
    f"<tbody>\n{rows}\n</tbody></table></div>"
  )


def _card(card: Card) -> str:
  rows = []
  for name, text in card.rows:
    kind = ' class="answer"' if name == card.answer else ""
    rows.append(
      f"<dt>{html.escape(name)}</dt><dd{kind}>{html.escape(text)}</dd>"
    )
  return f'<dl class="card">{"".join(rows)}</dl>'


def _figure(image: Image, data: bytes, number: int) -> str:
  """The figure inside of the page, so that it has the page's colours."""
  drawn = svg.inline(data, f"f{number}-", image.caption)
  mark = f' data-figure="{html.escape(image.stem)}"' if image.traces else ""
  caption = html.escape(image.caption)
  return (
    f'<figure{mark}><div class="wide" tabindex="0">{drawn}</div>\n'
    f"<figcaption>{caption}</figcaption></figure>"
  )


def _case(case: Case, groups: tuple[str, ...]) -> str:
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


def _cases(block: Cases, number: int, say: Say) -> str:
  """Formats examples below buttons, each of which shows one group alone."""
  name = f"cases{number}"
  counts = collections.Counter(case.group for case in block.cases)
  buttons = [(say("all"), len(block.cases), "")]
  buttons += [
    (group, counts[group], f' class="g{i}"')
    for i, group in enumerate(block.groups)
    if counts[group]
  ]
  parts = []
  for i, (group, count, kind) in enumerate(buttons):
    checked = " checked" if i == int(block.first) else ""
    parts.append(
      f'<input type="radio" name="{name}" id="{name}-{i}"{kind}{checked}>'
      f'<label for="{name}-{i}">{html.escape(group)} ({count})</label>'
    )
  parts += [_case(case, block.groups) for case in block.cases]
  inside = "\n".join(parts)
  return f'<section class="cases">\n{inside}\n</section>'
