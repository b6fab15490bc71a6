"""A graph as a picture."""

from __future__ import annotations

import io
import itertools
import math
import textwrap
import warnings
from typing import Any

from lm_jax.apps.graph.graph import Graph, library, to_networkx

# Above it nobody reads the names: those with most relations are shown.
MOST = 60
_COLOURS = (
  *("#9ecae1", "#a1d99b", "#fdae6b", "#bcbddc", "#fa9fb5", "#ffe08a"),
  *("#8dd3c7", "#d9b38c", "#c7e9c0", "#f4a3a3"),
)
_NO_KIND = "#dddddd"
_WRAP = 18  # letters of a line of a name
_LONGEST = 28  # letters of a relation or a kind
_BOX = (1.5, 0.55)  # inches around a name where no other may be
_ROUNDS = 40

Place = tuple[float, float]


def png(graph: Graph, title: str = "") -> bytes:
  """Entities as boxes coloured by kind, relations as arrows with names."""
  import matplotlib

  # A dollar sign in a name is one.
  with matplotlib.rc_context({"text.parse_math": False}):
    return _png(graph, title)


def _png(graph: Graph, title: str) -> bytes:
  from matplotlib.figure import Figure

  shown, left_out = _most_related(to_networkx(graph))
  places = _places(shown)
  width = max((x for x, _ in places.values()), default=0) + 2.6
  height = max((y for _, y in places.values()), default=0) + 1.6
  figure = Figure(figsize=(width, height + 0.8), layout="constrained")
  axes = figure.add_subplot()
  axes.set_axis_off()
  axes.set_xlim(-1.3, width - 1.3)
  axes.set_ylim(-0.8, height - 0.8)
  kinds = dict.fromkeys(kind for _, kind in shown.nodes(data="kind") if kind)
  colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
  boxes = {
    node: axes.text(
      *places[node],
      textwrap.fill(label, _WRAP, max_lines=3, placeholder=" …"),
      ha="center",
      va="center",
      fontsize=9,
      zorder=3,
      bbox={
        "boxstyle": "round,pad=0.35",
        "facecolor": colours.get(shown.nodes[node]["kind"], _NO_KIND),
        "edgecolor": "#555555",
        "linewidth": 0.8,
      },
    )
    for node, label in shown.nodes(data="label")
  }
  for (a, b), names in _arrows(shown).items():
    _arrow(axes, boxes[a], boxes[b], places[a], places[b], names, shown, (a, b))
  if len(colours) > 0:
    from matplotlib.patches import Patch

    axes.legend(
      handles=[Patch(color=c, label=_short(k)) for k, c in colours.items()],
      loc="upper left",
      bbox_to_anchor=(0, 0),
      ncols=min(len(colours), max(2, int(width / 1.8))),
      fontsize=8,
      frameon=False,
    )
  note = f"{left_out} entities with fewer relations are left out"
  lines = [line for line in (title, note if left_out else "") if line]
  if lines:
    axes.set_title("\n".join(lines), fontsize=10)
  return _rendered(figure)


def _rendered(figure: Any) -> bytes:
  file = io.BytesIO()
  with warnings.catch_warnings():
    # Signs that the font lacks are drawn as boxes; the files have them.
    warnings.filterwarnings("ignore", "Glyph")
    figure.savefig(file, format="png", dpi=150, facecolor="white")
  return file.getvalue()


def _short(text: str) -> str:
  return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _most_related(graph: Any) -> tuple[Any, int]:
  """The part of the graph that is shown, and how many entities are not."""
  order = sorted(graph, key=lambda node: -graph.degree(node))
  return graph.subgraph(order[:MOST]).copy(), max(0, len(order) - MOST)


def _places(graph: Any) -> dict[str, Place]:
  """Where each entity stands, in inches: its connected part by part."""
  networkx = library()
  parts = sorted(networkx.weakly_connected_components(graph), key=len)[::-1]
  found: dict[str, Place] = {}
  most = max(9.0, 2.6 * math.sqrt(len(graph)))  # inches in a row
  x = y = row = 0.0
  # From above: y grows downwards here, and is turned at the end.
  for part in parts:
    order = [node for node in graph if node in part]
    inside = networkx.Graph()
    inside.add_nodes_from(order)
    inside.add_edges_from((a, b) for a, b in graph.edges() if a in part)
    layout = networkx.kamada_kawai_layout(inside)
    side = 2.1 * math.sqrt(len(part)) * (len(part) > 1)
    # A pair lies side by side.
    height = side * 0.8 if len(part) > 2 else 0.0
    spread = max(side, 2.4) if len(part) > 1 else 0.0
    if x and x + spread > most:
      x, y, row = 0.0, y + row + 1.3, 0.0
    here = {
      node: (dx * spread, dy * height)
      for node, (dx, dy) in _unit(layout).items()
    }
    here = _apart(here)
    for node, (dx, dy) in here.items():
      found[node] = (x + dx, y + dy)
    x += spread + 2.4
    row = max(row, *(dy for _, dy in here.values()))
  deepest = max((at for _, at in found.values()), default=0.0)
  return {node: (a, deepest - b) for node, (a, b) in found.items()}


def _unit(layout: dict[str, Any]) -> dict[str, Place]:
  """A layout in a square of side 1."""
  spans = []
  for axis in (0, 1):
    values = [float(place[axis]) for place in layout.values()]
    spans.append((min(values), max(max(values) - min(values), 1e-9)))
  return {
    node: tuple(  # type: ignore[misc]
      (float(place[axis]) - spans[axis][0]) / spans[axis][1] for axis in (0, 1)
    )
    for node, place in layout.items()
  }


def _apart(places: dict[str, Place]) -> dict[str, Place]:
  """Moves what would cover another up or down, a little at a time."""
  nodes = list(places)
  x, y = ([places[node][axis] for node in nodes] for axis in (0, 1))
  for _ in range(_ROUNDS):
    for i, j in itertools.combinations(range(len(nodes)), 2):
      gap = _BOX[1] - abs(y[i] - y[j])
      if abs(x[i] - x[j]) < _BOX[0] and gap > 0:
        up, down = (i, j) if y[i] > y[j] else (j, i)
        y[up] += gap / 2
        y[down] -= gap / 2
  lowest = min(y)
  return {node: (x[i], y[i] - lowest) for i, node in enumerate(nodes)}


def _arrows(graph: Any) -> dict[tuple[str, str], list[str]]:
  """The names of the relations from one entity to another."""
  found: dict[tuple[str, str], list[str]] = {}
  for a, b, name in graph.edges(data="relation"):
    found.setdefault((a, b), []).append(name)
  return found


def _arrow(axes, start, end, at, to, names, graph, ends) -> None:
  """An arrow from box to box with its names beside its middle."""
  a, b = ends
  both = graph.has_edge(b, a)
  if a == b:
    middle = (at[0], at[1] + 0.62)
    style, patches = "arc3,rad=-1.6", (None, None)
    at, to = (at[0] - 0.35, at[1] + 0.15), (at[0] + 0.35, at[1] + 0.15)
  else:
    bend = 0.4 if both else 0.0
    style, patches = (
      f"arc3,rad={bend}",
      (start.get_bbox_patch(), end.get_bbox_patch()),
    )
    middle = (
      (at[0] + to[0]) / 2 + bend / 2 * (to[1] - at[1]),
      (at[1] + to[1]) / 2 - bend / 2 * (to[0] - at[0]),
    )
  axes.annotate(
    "",
    xy=to,
    xytext=at,
    zorder=1,
    arrowprops={
      "arrowstyle": "-|>",
      "color": "#777777",
      "connectionstyle": style,
      "patchA": patches[0],
      "patchB": patches[1],
      "shrinkA": 1,
      "shrinkB": 2,
    },
  )
  axes.text(
    *middle,
    "\n".join(_short(name) for name in names),
    ha="center",
    va="center",
    fontsize=7.5,
    color="#333333",
    zorder=2,
    bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "linewidth": 0},
  )
