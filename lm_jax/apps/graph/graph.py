"""A graph of entities and relations, built from those of each sentence."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from lm_jax.support import optional

# What XML 1.0 can't hold (section 2.2), not even as a reference.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Mention(NamedTuple):
  """An entity where a text names it; its kind may be ""."""

  name: str
  kind: str = ""


class Fact(NamedTuple):
  """A relation of two entities, and the sentence that states it."""

  subject: str
  relation: str
  object: str
  sentence: str = ""


@dataclasses.dataclass(frozen=True)
class Entity:
  """A thing that mentions name, whatever their case and spaces.

  name: as it was named first.  kind: the commonest; "" for none.
  """

  name: str
  kind: str
  mentions: int


@dataclasses.dataclass(frozen=True)
class Relation:
  """A relation of two entities, by their keys, with its sentences."""

  subject: str
  relation: str
  object: str
  sentences: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Graph:
  """Entities by key, and relations, each once, in the order of the text."""

  entities: Mapping[str, Entity]
  relations: Sequence[Relation]


def clean(text: str) -> str:
  """Puts a name on one line, without characters that XML can't hold."""
  return " ".join(_NO_XML.sub("\ufffd", text).split())


def key(name: str) -> str:
  """Returns the key that all names of an entity share."""
  return clean(name).casefold()


def build(mentions: Iterable[Mention], facts: Iterable[Fact]) -> Graph:
  """Builds a graph of mentions and facts; names in facts are entities, too.

  >>> graph = build([Mention("Rome", "city")], [Fact("rome", "of", "Italy")])
  >>> [(x.name, x.kind, x.mentions) for x in graph.entities.values()]
  [('Rome', 'city', 1), ('Italy', '', 1)]
  """
  names: dict[str, str] = {}
  kinds: dict[str, collections.Counter] = {}
  mentioned = set()
  for name, kind in mentions:
    if clean(name):
      mentioned.add(key(name))
      names.setdefault(key(name), clean(name))
      kinds.setdefault(key(name), collections.Counter())[clean(kind)] += 1
  related: dict[tuple[str, str, str], list[str]] = {}
  for fact in facts:
    ends = (fact.subject, fact.object)
    if not all(map(clean, (*ends, fact.relation))):
      continue
    for name in ends:
      names.setdefault(key(name), clean(name))
      if key(name) not in mentioned:
        kinds.setdefault(key(name), collections.Counter())[""] += 1
    triple = (key(fact.subject), clean(fact.relation), key(fact.object))
    sentences = related.setdefault(triple, [])
    if clean(fact.sentence) and clean(fact.sentence) not in sentences:
      sentences.append(clean(fact.sentence))
  entities = {
    k: Entity(name, kinds[k].most_common(1)[0][0], kinds[k].total())
    for k, name in names.items()
  }
  relations = [Relation(*triple, tuple(x)) for triple, x in related.items()]
  return Graph(entities, relations)


def library() -> Any:
  """Imports networkx; raises UsageError where it is not installed."""
  return optional.need("networkx", "graph")


def to_networkx(graph: Graph) -> Any:
  """Makes a MultiDiGraph; nodes: label, kind, mentions; edges: relation, text.

  Nodes are called n0, n1, ... in the order of the graph.
  """
  multigraph = library().MultiDiGraph()
  ids = {k: f"n{i}" for i, k in enumerate(graph.entities)}
  for k, one in graph.entities.items():
    multigraph.add_node(
      ids[k], label=one.name, kind=one.kind, mentions=one.mentions
    )
  for i, relation in enumerate(graph.relations):
    multigraph.add_edge(
      ids[relation.subject],
      ids[relation.object],
      key=f"e{i}",
      relation=relation.relation,
      text="\n".join(relation.sentences),
    )
  return multigraph
