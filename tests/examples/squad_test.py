import json

import pytest

from lm_jax.examples import squad
from lm_jax.examples.forms import UNPLACED, Question, Span
from lm_jax.support.errors import UsageError

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


@pytest.mark.parametrize(
  ("answer", "want"),
  [
    ({"text": "1687", "start": 13}, (Span("1687", UNPLACED),)),
    ({"text": "e.", "start": -2}, (Span("e.", UNPLACED),)),
    ({"text": "pears", "start": 10**6}, (Span("pears", UNPLACED),)),
    ({"text": "", "start": 3}, ()),
    ({"text": "", "start": -1}, ()),
  ],
)
def test_an_answer_out_of_place_is_a_text_alone(tmp_path, caplog, answer, want):
  path = tmp_path / "a.jsonl"
  good = {"context": CONTEXT, "question": "When?", "answers": [ANSWER]}
  lines = [good, good | {"id": "odd", "answers": [answer]}]
  path.write_text("\n".join(map(json.dumps, lines)))
  found = list(squad.jsonl(path))
  assert [one.answers for one in found] == [(Span("1687", 14),), want]
  told = f"{path}: questions with an answer that does not stand where"
  assert (told in caplog.text) == bool(want)
  assert not want or caplog.text.rstrip().endswith("the first is odd")


def test_half_a_surrogate_pair_is_named_by_its_line(tmp_path):
  path = tmp_path / "a.json"
  path.write_text('{"data":\n [\n"\\ud83d\\ude00",\n "\\ud800"]}')
  message = r"a\.json, line 4: '.ud800' is half of a surrogate pair"
  with pytest.raises(UsageError, match=message):
    list(squad.nested(path))
