"""A graph as a picture."""

from __future__ import annotations

import itertools
import math
from typing import Any

from lm_jax.apps.graph.graph import Graph, library, to_networkx
from lm_jax.report import fonts
from lm_jax.support import monospace

# Above it nobody reads the names: those with most relations are shown.
MOST = 60
_COLOURS = (
  *("#9ecae1", "#a1d99b", "#fdae6b", "#bcbddc", "#fa9fb5", "#ffe08a"),
  *("#8dd3c7", "#d9b38c", "#c7e9c0", "#f4a3a3"),
)
_NO_KIND = "#dddddd"
_WRAP = 18  # cells of a line of a name
_LONGEST = 28  # letters of a relation or a kind
_BOX = (1.5, 0.55)  # inches around a name where no other may be
_ROUNDS = 40

Place = tuple[float, float]


def png(graph: Graph) -> bytes:
  """Draws entities as boxes coloured by kind, relations as named arrows."""
  import matplotlib

  # A dollar sign in a name is one.
  with matplotlib.rc_context({"text.parse_math": False}):
    return _png(graph)


def _png(graph: Graph) -> bytes:
  from matplotlib.figure import Figure

  shown, left_out = _most_related(to_networkx(graph))
  places = _places(shown)
  width = max((x for x, _ in places.values()), default=0) + 2.6
  height = max((y for _, y in places.values()), default=0) + 1.6
  figure = Figure(figsize=(width, height + 0.8), layout="constrained")
  axes = figure.add_subplot()
  axes.set_axis_off()
  kinds = dict.fromkeys(kind for _, kind in shown.nodes(data="kind") if kind)
  colours = {kind: _COLOURS[i % len(_COLOURS)] for i, kind in enumerate(kinds)}
  _draw(shown, places, colours, axes)
  axes.set_xlim(-1.3, width - 1.3)
  axes.set_ylim(-0.8, height - 0.8)
  if colours:
    from matplotlib.patches import Patch

    axes.legend(
      handles=[Patch(color=c, label=_short(k)) for k, c in colours.items()],
      loc="upper left",
      bbox_to_anchor=(0, 0),
      ncols=min(len(colours), max(2, int(width / 1.8))),
      fontsize=8,
      frameon=False,
    )
  if left_out:
    note = f"{left_out} entities with fewer relations are left out"
    axes.set_title(note, fontsize=10)
  fonts.tell(fonts.fit(figure))
  return fonts.saved(figure, format="png", dpi=150, facecolor="white")


def _draw(
  graph: Any, places: dict[str, Place], colours: dict[str, str], axes: Any
) -> None:
  """Draws boxes, and arrows from box to box with their relations' names."""
  networkx = library()
  boxes = networkx.draw_networkx_labels(
    graph,
    places,
    {
      node: "\n".join(monospace.wrap(label, _WRAP, most=3))
      for node, label in graph.nodes(data="label")
    },
    font_size=9,
    bbox={"boxstyle": "round,pad=0.35", "edgecolor": "#555555"},
    ax=axes,
    clip_on=False,
  )
  for node, box in boxes.items():
    colour = colours.get(graph.nodes[node]["kind"], _NO_KIND)
    box.get_bbox_patch().set(facecolor=colour, linewidth=0.8)
    box.set_zorder(3)
  names: dict[tuple[str, str], list[str]] = {}
  for a, b, name in graph.edges(data="relation"):
    names.setdefault((a, b), []).append(_short(name))
  pairs = [edge for edge in names if edge[0] != edge[1]]
  both = [(a, b) for a, b in pairs if (b, a) in names]
  loops = [edge for edge in names if edge not in pairs]
  one_way = [edge for edge in pairs if edge not in both]
  # Two arrows between the same two boxes bend apart; the size is a loop's.
  for edges, bend, size in ((one_way, 0, 0), (both, 0.4, 0), (loops, 0, 700)):
    arrows = networkx.DiGraph(edges)
    look = {
      "ax": axes,
      "node_size": size,
      "connectionstyle": f"arc3,rad={bend}",
    }
    patches = networkx.draw_networkx_edges(
      arrows,
      places,
      edges,
      edge_color="#777777",
      arrowstyle="-|>",
      min_source_margin=1,
      min_target_margin=2,
      **look,
    )
    if not size:
      for (a, b), patch in zip(edges, patches, strict=True):
        patch.set_patchA(boxes[a].get_bbox_patch())
        patch.set_patchB(boxes[b].get_bbox_patch())
    networkx.draw_networkx_edge_labels(
      arrows,
      places,
      {edge: "\n".join(names[edge]) for edge in edges},
      font_size=7.5,
      font_color="#333333",
      bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "linewidth": 0},
      rotate=False,
      clip_on=False,
      **look,
    )


def _short(text: str) -> str:
  return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _most_related(graph: Any) -> tuple[Any, int]:
  """Selects the part to show, and counts the entities left out."""
  order = sorted(graph, key=lambda node: -graph.degree(node))
  return graph.subgraph(order[:MOST]).copy(), max(0, len(order) - MOST)


def _places(graph: Any) -> dict[str, Place]:
  """Lays entities out in inches, by Kamada and Kawai's springs.

  Entities without a path between them stand a little more than half as far
  apart as the farthest two that have one.
  Source: Kamada and Kawai, Information Processing Letters 31 (1989).
  """
  networkx = library()
  if not len(graph):
    return {}
  plain = networkx.Graph()
  plain.add_nodes_from(graph)
  plain.add_edges_from(graph.edges())
  paths = dict(networkx.all_pairs_shortest_path_length(plain))
  farthest = max(max(lengths.values()) for lengths in paths.values())
  distances = {
    a: {b: paths[a].get(b, farthest / 2 + 1) for b in plain} for a in plain
  }
  layout = networkx.kamada_kawai_layout(plain, dist=distances)
  side = max(2.0, 2.4 * math.sqrt(len(plain)))  # half of it from the middle
  x, y = zip(*(layout[node] for node in graph), strict=True)
  return _apart(
    {
      node: ((a - min(x)) * side / 1.6, (b - min(y)) * side / 2)
      for node, a, b in zip(graph, x, y, strict=True)
    }
  )


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
