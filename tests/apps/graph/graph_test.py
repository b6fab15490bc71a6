"""Graphs of what was read, written and read again."""

import io
import json
from urllib.parse import unquote

import numpy as np
import pytest

from lm_jax.apps.graph import formats, picture
from lm_jax.apps.graph.graph import Entity, Fact, Mention, Relation, build

networkx = pytest.importorskip("networkx")

# Names that mean something in XML, JSON-LD, IRIs, mathematics, or nowhere.
HOSTILE = (
  *(
    "<b>&amp;\"'",
    "@id",
    "a:b",
    "relation:x",
    "//h/?q#f",
    "$x^2$ \\frac",
    "%41",
  ),
  *("]]>", "日本 é", "\u202eabc", "x" * 300, "_:b0", "label"),
)


def hostile():
  mentions = [Mention(name, f"kind {name}") for name in HOSTILE]
  facts = [
    Fact(a, f"is {a}", b, f"{a} is {b}.")
    for a, b in zip(HOSTILE, HOSTILE[1:] + HOSTILE[:1], strict=True)
  ]
  return build(mentions, [*facts, Fact("@id", "@type", "@id")])


def test_names_of_one_entity_are_one():
  graph = build(
    [
      *(Mention("Rome", "city"), Mention(" ROME\n", "team")),
      *(Mention("rome", "team"), Mention("", "x"), Mention("Ann\x00 \ud800")),
    ],
    [
      Fact("Rome", "capital of", "Italy", "So it is."),
      Fact("rome", "capital  of", "italy", "Again."),
      Fact("rome", "capital of", "italy", "Again."),
      Fact("Italy", "", "Rome"),
    ],
  )
  assert list(graph.entities.items()) == [
    ("rome", Entity("Rome", "team", 3)),
    ("ann\ufffd \ufffd", Entity("Ann\ufffd \ufffd", "", 1)),
    ("italy", Entity("Italy", "", 3)),
  ]
  assert graph.relations == [
    Relation("rome", "capital of", "italy", ("So it is.", "Again."))
  ]


def test_graphml_read_by_networkx_is_the_same():
  graph = hostile()
  text = formats.graphml(graph)
  read = networkx.read_graphml(io.BytesIO(text.encode()))
  keys = dict(zip(read, graph.entities, strict=True))
  assert {
    keys[node]: (x["label"], x["kind"], x["mentions"])
    for node, x in read.nodes(data=True)
  } == {k: (x.name, x.kind, x.mentions) for k, x in graph.entities.items()}
  assert sorted(
    (keys[a], x["relation"], keys[b], x["text"])
    for a, b, x in read.edges(data=True)
  ) == sorted(
    (x.subject, x.relation, x.object, "\n".join(x.sentences))
    for x in graph.relations
  )
  assert len(graph.relations) == len(HOSTILE) + 1


def test_json_ld_expanded_is_the_same():
  jsonld = pytest.importorskip("pyld").jsonld
  graph = hostile()
  expanded = jsonld.expand(json.loads(formats.json_ld(graph)))

  def local(iri, prefix):
    start = formats.PREFIXES[prefix]
    assert iri.startswith(start)
    return unquote(iri.removeprefix(start))

  label = formats.CONTEXT["label"]
  entities, relations, said = {}, set(), {}
  for node in expanded:
    name = node[label][0]["@value"]
    if node["@id"].startswith(formats.PREFIXES["relation"]):
      assert local(node["@id"], "relation") == name
      comments = node.get(formats.CONTEXT["comment"], [])
      said[name] = tuple(x["@value"] for x in comments)
      continue
    k = local(node["@id"], "entity")
    (kind,) = node["@type"]
    count = node[formats.CONTEXT["mentions"]][0]["@value"]
    entities[k] = Entity(name, local(kind, "kind"), count)
    for key, values in node.items():
      if key.startswith(formats.PREFIXES["relation"]):
        relations |= {
          (k, local(key, "relation"), local(x["@id"], "entity")) for x in values
        }
  assert entities == graph.entities
  assert relations == {
    (x.subject, x.relation, x.object) for x in graph.relations
  }
  assert said == {x.relation: x.sentences for x in graph.relations}


def pixels(data):
  import matplotlib.image

  return matplotlib.image.imread(io.BytesIO(data))


@pytest.mark.parametrize(
  "graph", [hostile(), build([], [])], ids=["all", "none"]
)
def test_a_picture_of_anything(graph):
  found = pixels(picture.png(graph))
  assert found.ndim == 3 and 100 < found.shape[1] < 6000
  assert (np.ptp(found[..., :3]) > 0.3) == bool(graph.entities)


def test_no_name_covers_another_and_the_least_related_are_left_out():
  rng = np.random.default_rng(0)
  names = [f"e{i}" for i in range(picture.MOST + 20)]
  facts = [
    Fact(names[int(a)], "r", names[int(b)])
    for a, b in rng.integers(0, picture.MOST, (90, 2))
  ]
  graph = build([Mention(name) for name in names], facts)
  from lm_jax.apps.graph.graph import to_networkx

  shown, left_out = picture._most_related(to_networkx(graph))
  assert left_out == 20 and len(shown) == picture.MOST
  degrees = [to_networkx(graph).degree(node) for node in shown]
  others = set(to_networkx(graph)) - set(shown)
  assert min(degrees) >= max(to_networkx(graph).degree(x) for x in others)
  places = list(picture._places(shown).values())
  close = [
    (a, b)
    for i, a in enumerate(places)
    for b in places[:i]
    if abs(a[0] - b[0]) < 1.2 and abs(a[1] - b[1]) < 0.3
  ]
  assert close == []
