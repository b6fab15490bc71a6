import json

import pytest
from json_lines import write

from lm_jax.examples import text_pairs
from lm_jax.examples.forms import Rewriting
from lm_jax.support.errors import UsageError


@pytest.mark.parametrize(
  ("record", "source", "references"),
  [
    ({"document": "a b", "summary": "a"}, "a b", ("a",)),
    ({"article": "a", "highlights": "x\ny"}, "a", ("x\ny",)),
    ({"dialogue": "a", "summary1": "x", "summary2": "y"}, "a", ("x", "y")),
    ({"source": ["a.", "b."], "target": ["x", "y"]}, "a. b.", ("x", "y")),
    ({"document": "a", "summaries": ["x"], "id": 7}, "a", ("x",)),
  ],
)
def test_forms_of_summaries(tmp_path, record, source, references):
  path = write(tmp_path / "test.jsonl", [record])
  name = str(record.get("id", 1))
  want = [Rewriting(name, source, references)]
  assert list(text_pairs.summaries(path)) == want
  path = tmp_path / "test.json"
  path.write_text(json.dumps([record]))
  assert [x.source for x in text_pairs.summaries(path)] == [source]


def test_a_json_file_that_is_no_list(tmp_path):
  path = tmp_path / "a.json"
  for text, message in (
    ("{}", "must be a list"),
    ("[3]", r"\[0\]: must be an object"),
    ("[", "not JSON"),
  ):
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
      list(text_pairs.summaries(path))


def test_each_turn_answers_those_before(tmp_path):
  want = [
    Rewriting("1.1", "Hi !", ("Who ?",)),
    Rewriting("1.2", "Hi !\nWho ?", ("Me .",)),
  ]
  path = write(tmp_path / "a.jsonl", [{"de": ["Hi !", "Who ?", "Me ."]}])
  assert list(text_pairs.replies(path, "de")) == want
  path = tmp_path / "dialogues_text.txt"
  path.write_text("Hi ! __eou__ Who ? __eou__ Me . __eou__\nAlone __eou__\n")
  assert list(text_pairs.replies(path, "en")) == want


def test_triples_of_a_text_and_of_semeval(tmp_path):
  path = write(
    tmp_path / "a.jsonl",
    [
      {"text": "t", "triples": [["a", "r", "b"], ["c | d", "r", "e ; f"]]},
      {
        "text": "t",
        "triples": [{"subject": "a", "relation": "r", "object": "b"}],
      },
      {"text": "t", "triples": []},
      {"text": "A <e1>x</e1> of <e2>y</e2>.", "label": "Entity-Origin(e2,e1)"},
      {"text": "A <e1>x</e1> of <e2>y</e2>.", "label": "Other"},
    ],
  )
  found = list(text_pairs.triples(path))
  assert [x.references for x in found] == [
    ("a | r | b ; c , d | r | e , f",),
    ("a | r | b",),
    ("none",),
    ("y | Entity-Origin | x",),
    ("none",),
  ]
  assert found[3].source == "A x of y."
  read = [text_pairs.parsed(x.references[0]) for x in found]
  assert read[0] == [("a", "r", "b"), ("c , d", "r", "e , f")]
  assert read[2] == read[4] == []


def test_what_a_model_writes_may_be_no_triple():
  assert text_pairs.parsed("a|r|b;c | d ; | r | x ; a | b | c | d") == [
    ("a", "r", "b")
  ]
