"""Blocks of a report, and their plain-text and Markdown forms."""

from __future__ import annotations

import dataclasses
import html
import re
from collections.abc import Sequence

from lm_jax.support import monospace
from lm_jax.support.printable import printable as printable

WIDTH = 100  # columns of the plain-text form


@dataclasses.dataclass(frozen=True)
class Heading:
  text: str


@dataclasses.dataclass(frozen=True)
class Text:
  """A paragraph; `strong` ones carry the answer."""

  text: str
  strong: bool = False


@dataclasses.dataclass(frozen=True)
class Card:
  """Names with a line of text each; the one called `answer` is strong."""

  rows: tuple[tuple[str, str], ...]
  answer: str = "Answer"


ANSWER = Card.answer


@dataclasses.dataclass(frozen=True)
class Table:
  """Rows of cells; `words` names the columns of running text.

  Where the first column is headed as `arms` says, a page gives rows their arms'
  colours.
  """

  head: tuple[str, ...]
  rows: tuple[tuple[str, ...], ...]
  words: tuple[int, ...] = (0,)
  arms: str = "arm"


@dataclasses.dataclass(frozen=True)
class Heat(Table):
  """A table whose cells a page colours.

  shares: of each cell, [rows][columns without the first]: 0 is the darkest
    colour, 1 the lightest; None has none.
  """

  shares: tuple[tuple[float | None, ...], ...] = ()


@dataclasses.dataclass(frozen=True)
class Trace:
  """Points of a figure that a page tells under the pointer.

  name: of its group in the SVG.
  axes: of x and y, for people; "" is not told.
  """

  name: str
  arm: str
  label: str
  axes: tuple[str, str]
  points: tuple[tuple[float, float], ...]


@dataclasses.dataclass(frozen=True)
class Image:
  """A figure: the stem of its files under figures/, and its caption."""

  stem: str
  caption: str
  traces: tuple[Trace, ...] = ()


@dataclasses.dataclass(frozen=True)
class Arms:
  """Buttons that switch arms on and off, in their order; on a page only."""

  names: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Contents:
  """Links to the headings; on a page only."""


@dataclasses.dataclass(frozen=True)
class Code:
  """Text without line wrapping: a command, a traceback."""

  text: str
  title: str = ""


@dataclasses.dataclass(frozen=True)
class Part:
  """A named text of an example; `strong` ones are answers."""

  name: str
  text: str
  strong: bool = False


@dataclasses.dataclass(frozen=True)
class Case:
  """An example: its title, its group, its question and answers."""

  title: str
  group: str
  parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True)
class Cases:
  """Examples, which a page shows group by group; at most eight groups.

  The terminal's form leaves them out.

  first: whether the page opens with the first group alone.
  """

  groups: tuple[str, ...]
  cases: tuple[Case, ...]
  first: bool = False


@dataclasses.dataclass(frozen=True)
class Details:
  """Blocks behind a line that unfolds them; on a page only."""

  title: str
  blocks: tuple[Heading | Text | Card | Table | Code, ...]


Block = (
  Heading
  | Text
  | Card
  | Table
  | Image
  | Code
  | Cases
  | Arms
  | Contents
  | Details
)
# What neither the terminal nor Markdown shows.
PAGE_ONLY = (Arms, Contents, Details)


def _widths(table: Table) -> list[int]:
  """Column widths that fit WIDTH, taken from the widest text columns."""
  columns = list(zip(table.head, *table.rows, strict=True))
  widths = [max(map(monospace.width, column)) for column in columns]
  words = [i for i in table.words if i < len(widths)]
  while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
    widest = max(words, key=lambda i: widths[i])
    if widths[widest] <= 8:
      break
    widths[widest] -= 1
  return widths


def _plain_table(table: Table) -> list[str]:
  widths = _widths(table)
  lines = []
  for row in (table.head, *table.rows):
    cells = [
      monospace.wrap(cell, width) or [""]
      for cell, width in zip(row, widths, strict=True)
    ]
    for line in range(max(len(cell) for cell in cells)):
      parts = []
      for i, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        part = cell[line] if line < len(cell) else ""
        pad = monospace.left if i in table.words else monospace.right
        parts.append(pad(part, width))
      lines.append("  ".join(parts).rstrip())
    if row is table.head:
      lines.append("  ".join("-" * width for width in widths))
  return lines


def _plain_card(card: Card) -> list[str]:
  margin = 2 + max(monospace.width(name) for name, _ in card.rows)
  lines = []
  for name, text in card.rows:
    first, *others = monospace.wrap(text, WIDTH - margin) or [""]
    lines.append(monospace.left(name, margin) + first)
    lines += [" " * margin + line for line in others]
  return lines


def plain(blocks: list[Block]) -> str:
  """Formats blocks for the terminal: lines within WIDTH, no figures."""
  lines: list[str] = []
  for block in blocks:
    if lines and not isinstance(block, (Image, Cases, *PAGE_ONLY)):
      lines.append("")
    if isinstance(block, Heading):
      lines += [block.text, "=" * min(WIDTH, monospace.width(block.text))]
    elif isinstance(block, Text):
      lines += monospace.wrap(block.text, WIDTH)
    elif isinstance(block, Card):
      lines += _plain_card(block)
    elif isinstance(block, Table):
      lines += _plain_table(block)
    elif isinstance(block, Code):
      for line in [block.title, *block.text.splitlines()]:
        lines += monospace.wrap(line, WIDTH) if line else []
  return printable("\n".join(lines) + "\n")


def _escape(text: str) -> str:
  """Escapes text for Markdown, on one line."""
  text = html.escape(" ".join(text.split()), quote=False)
  text = re.sub(r"([\\`*|#~])", r"\\\1", text)
  return text.replace("](", "]\\(")


def markdown(blocks: Sequence[Block]) -> str:
  """Formats blocks as Markdown; figures are links to their PNG files."""
  parts: list[str] = []
  for block in blocks:
    if isinstance(block, Heading):
      level = "#" if not parts else "##"
      parts.append(f"{level} {_escape(block.text)}")
    elif isinstance(block, Text):
      text = _escape(block.text)
      parts.append(f"**{text}**" if block.strong else text)
    elif isinstance(block, Card):
      lines = []
      for name, text in block.rows:
        body = _escape(text)
        body = f"**{body}**" if name == block.answer else body
        lines.append(f"- {_escape(name)}: {body}")
      parts.append("\n".join(lines))
    elif isinstance(block, Table):
      rule = [
        ":--" if i in block.words else "--:" for i in range(len(block.head))
      ]
      rows = [list(map(_escape, row)) for row in (block.head, *block.rows)]
      rows.insert(1, rule)
      parts.append("\n".join("| " + " | ".join(row) + " |" for row in rows))
    elif isinstance(block, Image):
      caption = _escape(block.caption)
      alt = caption.replace("[", "(").replace("]", ")")
      parts.append(f"![{alt}](figures/{block.stem}.png)\n\n{caption}")
    elif isinstance(block, Cases):
      parts += _markdown_cases(block)
    elif isinstance(block, Code):
      runs = re.findall(r"`+", block.text)
      fence = "`" * max(3, *(len(run) + 1 for run in runs), 3)
      title = f"{_escape(block.title)}\n\n" if block.title else ""
      parts.append(f"{title}{fence}text\n{block.text.rstrip()}\n{fence}")
  return printable("\n\n".join(parts) + "\n")


def _markdown_cases(block: Cases) -> list[str]:
  """A list for each group."""
  parts = []
  for group in block.groups:
    chosen = [case for case in block.cases if case.group == group]
    if not chosen:
      continue
    lines = []
    for case in chosen:
      lines.append(f"- {_escape(case.title)}")
      for part in case.parts:
        text = _escape(part.text)
        text = f"**{text}**" if part.strong and text else text
        lines.append(f"  - {_escape(part.name)}: {text}")
    parts += [f"**{_escape(group)} ({len(chosen)})**", "\n".join(lines)]
  return parts
