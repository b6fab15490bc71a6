"""A graph as GraphML and as JSON-LD."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from lm_jax.apps.graph.graph import Graph, library, to_networkx

# Names stand percent-encoded behind these, so that none is read as a term, a
# keyword or an IRI.
PREFIXES = {
  "entity": "urn:lm-jax:entity:",
  "relation": "urn:lm-jax:relation:",
  "kind": "urn:lm-jax:kind:",
}
CONTEXT = {
  **PREFIXES,
  "label": "http://www.w3.org/2000/01/rdf-schema#label",
  "comment": "http://www.w3.org/2000/01/rdf-schema#comment",
  "mentions": "urn:lm-jax:mentions",
}


def graphml(graph: Graph) -> str:
  """Writes GraphML, which Gephi, yEd and networkx read."""
  lines = library().generate_graphml(to_networkx(graph), named_key_ids=True)
  return "<?xml version='1.0' encoding='utf-8'?>\n" + "\n".join(lines) + "\n"


def json_ld(graph: Graph) -> str:
  """Writes linked data: an object for each entity, relations by IRI.

  The label of a relation has a node of its own, with the sentences that it
  was read from as comments.
  """
  nodes: dict[str, dict[str, Any]] = {}
  for k, one in graph.entities.items():
    node: dict[str, Any] = {"@id": _iri("entity", k), "label": one.name}
    if one.kind:
      node["@type"] = _iri("kind", one.kind)
    nodes[k] = node | {"mentions": one.mentions}
  named: dict[str, dict[str, Any]] = {}
  for x in graph.relations:
    name = _iri("relation", x.relation)
    nodes[x.subject].setdefault(name, []).append(
      {"@id": _iri("entity", x.object)}
    )
    relation = named.setdefault(
      x.relation, {"@id": name, "label": x.relation, "comment": []}
    )
    relation["comment"] += x.sentences
  content = {
    "@context": CONTEXT,
    "@graph": [*nodes.values(), *named.values()],
  }
  return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _iri(prefix: str, name: str) -> str:
  return f"{prefix}:{quote(name, safe='')}"
