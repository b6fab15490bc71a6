"""Models that find entities and relations, and the command that asks them."""

import json
import types

import pytest

from lm_jax import cli
from lm_jax.apps.graph import read
from lm_jax.examples import conll
from lm_jax.inference import load
from lm_jax.support.errors import UsageError

networkx = pytest.importorskip("networkx")

TEXT = "Ann Lee, of Bo's Inc. in New York, hired Bo. Nobody else did."
TAGS = {"Ann": "B-per", "Lee": "I-per", "Bo": "B-per", "New": "B-loc"}
TAGS |= {"York": "I-loc"}


class Kind:
  """Answers as it is told; keeps what was asked."""

  asked: list = []  # noqa: RUF012

  def answer(self, model, task, examples):
    Kind.asked = examples
    return [model.answers(example) for example in examples]


@pytest.fixture(autouse=True)
def told(monkeypatch):
  monkeypatch.setattr(read, "find_kind", lambda name: Kind())
  monkeypatch.setattr(read, "find_task", lambda name: None)


def model(objective, answers, task="toy"):
  config = types.SimpleNamespace(objective=objective, task=task)
  return types.SimpleNamespace(config=config, answers=answers)


def tagger():
  return model(
    "label_tokens", lambda example: [TAGS.get(w, "O") for w in example.words]
  )


def test_entities_have_the_words_of_the_text():
  graph = read.read([TEXT], tagger())
  assert [(x.name, x.kind, x.mentions) for x in graph.entities.values()] == [
    ("Ann Lee", "per", 1),
    ("New York", "loc", 1),
    ("Bo", "per", 1),
  ]
  assert graph.relations == []


def test_words_of_other_scripts_are_seen():
  """Characters without spaces, as models of such texts are taught; marks."""
  read.read(["王小明在IBM工作。"], tagger())
  assert Kind.asked[0].words == (
    *("王", "小", "明", "在", "IBM", "工", "作", "。"),
  )
  read.read(["राम दिल्ली में है।"], tagger())
  assert Kind.asked[0].words == ("राम", "दिल्ली", "में", "है", "।")
  read.read(["See @bob_1 at https://x.y/z, O'Neil & co-op."], tagger())
  assert Kind.asked[0].words == (
    *("See", "@bob_1", "at", "https://x.y/z,", "O'Neil", "&", "co-op", "."),
  )


def test_each_pair_of_a_sentence_is_asked_for_and_goes_its_way():
  said = {
    ("Ann Lee", "New York"): "Located(e1,e2)",
    ("Ann Lee", "Bo"): "Other",
    ("New York", "Bo"): "Home-Of(e2,e1)",
  }
  from lm_jax.examples import semeval

  relations = model(
    "classify", lambda x: said[semeval.entities(x.fields["text"])]
  )
  graph = read.read([TEXT], tagger(), relations)
  assert [tuple(x) for x in map(vars_of, graph.relations)] == [
    ("ann lee", "Located", "new york"),
    ("bo", "Home-Of", "new york"),
  ]
  assert len(Kind.asked) == 3
  assert Kind.asked[0].fields["text"] == (
    "<e1>Ann Lee</e1>, of Bo's Inc. in <e2>New York</e2>, hired Bo."
  )


def vars_of(relation):
  return relation.subject, relation.relation, relation.object


def test_triples_are_read_from_what_is_written():
  writer = model(
    "respond",
    lambda x: "Ann | hired | Bo ; x |" if "hired" in x.source else "none",
    "triples",
  )
  graph = read.read([TEXT], writer)
  assert [vars_of(x) for x in graph.relations] == [("ann", "hired", "bo")]
  assert graph.relations[0].sentences[0].startswith("Ann Lee, of")


def test_entities_of_tags_are_those_of_seqeval():
  library = pytest.importorskip("seqeval.metrics.sequence_labeling")
  import random

  rng = random.Random(0)
  for _ in range(200):
    tags = rng.choices(["O", "B-x", "I-x", "B-y", "I-y"], k=6)
    want = [(k, a, b + 1) for k, a, b in library.get_entities(tags)]
    assert conll.entities(tags) == want


@pytest.mark.parametrize(
  ("one", "other", "message"),
  [
    (model("mlm", None), None, "--model=a: is of --objective=mlm; must be"),
    (model("respond", None), None, "was fine-tuned for toy, whose answers are"),
    (tagger(), tagger(), "--relations=b: is of --objective=label_tokens"),
    (
      model("respond", None, "triples"),
      model("classify", None),
      "--relations=b: --model=a finds the relations itself",
    ),
  ],
)
def test_models_of_another_kind_are_refused(one, other, message):
  with pytest.raises(UsageError, match=message):
    read.check(one, other, ("--model=a", "--relations=b"))


def test_the_command(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(load, "load", lambda *_: tagger())
  out = f"{tmp_path}/g"
  file = tmp_path / "a.txt"
  file.write_text(TEXT)
  asked = ["graph", "--model=m", f"--file={file}", f"--out={out}"]
  assert cli.main(asked) == 0
  assert "3 entities, 0 relations" in capsys.readouterr().out
  content = json.loads((tmp_path / "g.jsonld").read_text())
  assert [x["label"] for x in content["@graph"]] == [
    "Ann Lee",
    "New York",
    "Bo",
  ]
  assert len(networkx.read_graphml(f"{out}.graphml")) == 3
  assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")
  # A second run overwrites nothing.
  assert cli.main(asked) == 2
  assert "g.graphml is there; name another" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("flags", "message"),
  [
    (["--text=a"], "--model: needed"),
    (["--model=m"], "--text: needed"),
    (["--model=m", "--text= "], "--text: needed"),
    (
      ["--model=m", "--file=no/such"],
      "--file: no/such: cannot be read",
    ),
    (["--model=m", "--text=a", "--out=no/such"], "no is no directory"),
    (["--model=m", "--text=a", "--relation=b"], "did you mean --relations"),
  ],
)
def test_what_is_asked_wrongly(flags, message, capsys):
  assert cli.main(["graph", *flags]) == 2
  assert message in capsys.readouterr().err
