import json

import pytest

from lm_jax.data import squad
from lm_jax.data.examples import Question, Span
from lm_jax.errors import UsageError

CONTEXT = "Äpfel fell in 1687, twice."
ASKED = {"id": "q1", "question": "When?"}
ANSWER = {"text": "1687", "answer_start": 14}


def nested(tmp_path, asked, **paragraph):
  content = {
    "version": "v2.0",
    "data": [
      {"title": "T", "paragraphs": [{"context": CONTEXT, "qas": []}]},
      {
        "title": "Apples",
        "paragraphs": [{"context": CONTEXT, "qas": [asked]} | paragraph],
      },
    ],
  }
  path = tmp_path / "dev-v2.0.json"
  path.write_text(json.dumps(content))
  return list(squad.nested(path))


def test_squads_own_form(tmp_path):
  found = nested(tmp_path, ASKED | {"answers": [ANSWER, ANSWER]})
  span = Span("1687", 14)
  assert found == [Question("q1", "Apples", CONTEXT, "When?", (span, span))]
  none = ASKED | {
    "answers": [],
    "is_impossible": True,
    "plausible_answers": [ANSWER],
  }
  assert nested(tmp_path, none)[0].answers == ()


@pytest.mark.parametrize(
  "answers",
  [
    [ANSWER],
    [{"text": "1687", "start": 14}],
    {"text": ["1687"], "answer_start": [14]},
  ],
)
def test_forms_of_answers(tmp_path, answers):
  path = tmp_path / "a.jsonl"
  record = {"context": CONTEXT, "question": "When?", "answers": answers}
  path.write_text(json.dumps(record) + "\n")
  want = Question("1", "", CONTEXT, "When?", (Span("1687", 14),))
  assert list(squad.jsonl(path)) == [want]


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"context": None}, "line 2: field context=None: must be text"),
    ({"answers": "1687"}, "field answers='1687': must be a list of objects"),
    ({"answers": [{"text": "1687"}]}, "must be a list of objects with"),
    ({"answers": {"text": ["a"], "start": []}}, "must be a list of objects"),
    (
      {"answers": [{"text": "1687", "start": 13}]},
      "line 2: the answer '1687' is not at character 13 of the context, where"
      " ' 168' stands",
    ),
    ({"answers": [{"text": "e.", "start": -2}]}, "is not at character -2"),
    ({"answers": [{"text": "", "start": 3}]}, "the answer '' is not at"),
  ],
)
def test_a_bad_record_is_named(tmp_path, change, message):
  good = {"context": CONTEXT, "question": "When?", "answers": [ANSWER]}
  path = tmp_path / "a.jsonl"
  lines = [json.dumps(good), json.dumps(good | change)]
  path.write_text("\n".join(lines))
  with pytest.raises(UsageError, match=message):
    list(squad.jsonl(path))


def test_where_in_the_tree_something_is_wrong(tmp_path):
  at = r"data\[1\], paragraphs\[0\], qas\[0\]: no field 'answers'; it has"
  with pytest.raises(UsageError, match=at):
    nested(tmp_path, ASKED)
  with pytest.raises(UsageError, match=r"paragraphs\[0\]: has no list 'qas'"):
    nested(tmp_path, ASKED, qas=3)
  path = tmp_path / "a.json"
  for text, message in (("[]", "has no list 'data'"), ("{", "not JSON")):
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
      list(squad.nested(path))
