"""Figures as a page holds them: SVG in its own colours, and their points."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

from lm_jax.report import style
from lm_jax.report.blocks import Trace

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_REFERENCE = re.compile(r"url\(#([^)]*)\)")
_ARM = re.compile(r"arm(\d+)(?:-\d+)?")


def traces(figure, arms: tuple[str, ...]) -> tuple[Trace, ...]:
  """Collects the lines of a matplotlib Figure that have an arm and a label.

  It gives each artist whose gid is that of an arm (`style.gid`) a name of its
  own, so that it is called once, before the figure is rendered. An arrow, which
  no figure lists, keeps its arm's.

  Args:
    arms: of the experiment, in their order.
  """
  from matplotlib.lines import Line2D

  marked = dict.fromkeys(figure.findobj(lambda artist: artist.get_gid()))
  collected = []
  for number, artist in enumerate(marked):
    place = int(artist.get_gid().removeprefix("arm"))
    name = f"arm{place}-{number}"
    artist.set_gid(name)
    label = artist.get_label()
    if not isinstance(artist, Line2D) or str(label).startswith("_"):
      continue
    axes: Any = artist.axes
    names = (
      axes.get_xlabel() or figure.get_supxlabel(),
      axes.get_ylabel() or figure.get_supylabel(),
    )
    if not names[1]:  # A row of a forest plot: its label tells the number.
      names = ("", "")
    xy: Any = artist.get_xydata()
    points = tuple((float(x), float(y)) for x, y in xy)
    collected.append(Trace(name, arms[place], str(label), names, points))
  return tuple(collected)


def inline(data: bytes, prefix: str, title: str) -> str:
  """Makes an SVG file of matplotlib's a part of an HTML page.

  Colours become variables of the page and styles attributes, which a strict
  policy lets be; what shows an arm (`traces`) gets the attributes data-arm, its
  place, and data-trace, its name.

  Args:
    data: the file.
    prefix: of its identifiers, so that they are unique on the page.
    title: names the figure to a screen reader.
  """
  colours = style.variables()
  root = ElementTree.fromstring(data)
  for parent in list(root.iter()):
    for child in list(parent):
      if child.tag in (f"{_SVG}metadata", f"{_SVG}style"):
        parent.remove(child)
  for element in root.iter():
    element.tag = element.tag.removeprefix(_SVG)
    _simplify(element, prefix, colours)
  for name in ("width", "height", "version"):
    root.attrib.pop(name, None)
  root.attrib |= {"role": "img", "aria-label": title}
  return ElementTree.tostring(root, "unicode")


def _simplify(
  element: ElementTree.Element, prefix: str, colours: Mapping[str, str]
) -> None:
  attributes = element.attrib
  for declaration in attributes.pop("style", "").split(";"):
    name, colon, value = declaration.partition(":")
    # The page's own font is no wider than the one that was measured.
    if colon and name.strip() != "font-family":
      attributes[name.strip()] = value.strip()
  for name in ("fill", "stroke"):
    if name in attributes:
      attributes[name] = colours.get(attributes[name], attributes[name])
  if "id" in attributes:
    own = attributes.pop("id")
    if arm := _ARM.fullmatch(own):
      attributes |= {"data-arm": arm[1], "data-trace": own}
    else:
      attributes["id"] = prefix + own
  if _LINK in attributes:
    attributes["href"] = f"#{prefix}{attributes.pop(_LINK).removeprefix('#')}"
  if "clip-path" in attributes:
    attributes["clip-path"] = _REFERENCE.sub(
      rf"url(#{prefix}\1)", attributes["clip-path"]
    )
