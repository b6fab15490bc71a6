"""Says the blocks of a report in a language, and the words of its figures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from lm_jax.report import fonts
from lm_jax.report.blocks import (
  ANSWER,
  Arms,
  Block,
  Card,
  Case,
  Cases,
  Code,
  Details,
  Heading,
  Image,
  Table,
  Text,
)
from lm_jax.report.language import Language

# Rows of a card that hold what people or machines wrote.
_WRITTEN = ("Made by", "Machine")
# Tables whose first column has names, and their other words there.
_NAMED, _UNNAMED = ("arm", "run"), ("equal at",)
_TEXT = "{http://www.w3.org/2000/svg}text"


def blocks(content: Sequence[Block], language: Language) -> list[Block]:
  """Says blocks; names of arms and runs, code and commands stay as they are."""
  if language.code == "en":
    return list(content)
  names = set(_names(content))

  def say(text: str) -> str:
    return text if text in names else language.say(text)

  return [_block(block, say, language) for block in content]


def _names(content: Sequence[Block]) -> Iterator[str]:
  for block in content:
    if isinstance(block, Arms):
      yield from block.names
    elif isinstance(block, Table) and block.head[0] in _NAMED:
      yield from (row[0] for row in block.rows if row[0] not in _UNNAMED)


def _block(block: Any, say: Callable[[str], str], language: Language) -> Any:
  if isinstance(block, Heading | Text):
    return dataclasses.replace(block, text=say(block.text))
  if isinstance(block, Card):
    rows = tuple(
      (say(name), text if name in _WRITTEN else say(text))
      for name, text in block.rows
    )
    return Card(rows, say(ANSWER))
  if isinstance(block, Table):
    return dataclasses.replace(
      block,
      head=tuple(map(say, block.head)),
      rows=tuple(tuple(map(say, row)) for row in block.rows),
      arms=say(block.arms),
    )
  if isinstance(block, Image):
    traces = tuple(
      dataclasses.replace(
        trace,
        label=say(trace.label),
        axes=(say(trace.axes[0]), say(trace.axes[1])),
      )
      for trace in block.traces
    )
    return Image(block.stem, say(block.caption), traces)
  if isinstance(block, Code):
    return Code(block.text, say(block.title))
  if isinstance(block, Cases):
    cases = tuple(_case(case, say, language) for case in block.cases)
    groups = tuple(map(language.listed, block.groups))
    return Cases(groups, cases, block.first)
  if isinstance(block, Details):
    name, _, status = block.title.rpartition(": ")
    inner = tuple(_block(one, say, language) for one in block.blocks)
    return Details(f"{name}: {say(status)}", inner)
  return block


def _case(case: Case, say: Callable[[str], str], language: Language) -> Case:
  parts = tuple(
    dataclasses.replace(
      part,
      name=say(part.name),
      text=say(part.text) if part.strong else part.text,
    )
    for part in case.parts
  )
  return Case(say(case.title), language.listed(case.group), parts)


def figure(figure: Any, language: Language, names: Collection[str]) -> None:
  """Says the words of a matplotlib Figure that installed fonts can draw.

  names: of arms, which stay as they are.
  """
  from matplotlib.text import Text as Words

  if language.code == "en":
    return
  for artist in figure.findobj(Words):
    text = artist.get_text()
    lines = [
      line if line in names else language.say(line) for line in text.split("\n")
    ]
    said = "\n".join(lines)
    if said != text and fonts.can_draw(said):
      artist.set_text(said)


def svg(data: bytes, language: Language) -> bytes:
  """Says the words of a figure's SVG file, as `figure` leaves it.

  A browser has fonts for them even where matplotlib has none.
  """
  if language.code == "en":
    return data
  root = ElementTree.fromstring(data)
  for element in root.iter(_TEXT):
    if element.text:
      element.text = language.say(element.text)
  return ElementTree.tostring(root)
