import pytest

from lm_jax.examples import semeval
from lm_jax.support.errors import UsageError

TEXT = "A <e1>child</e1> in the <e2>cradle</e2>."
OFFICIAL = f"""1\t"{TEXT}"
Entity-Destination(e1,e2)
Comment: none

2\t"The "<e1>fire</e1>" came of <e2>heat</e2>."
Cause-Effect(e2,e1)
Comment:

"""


def test_the_archives_form(tmp_path):
  path = tmp_path / "TRAIN_FILE.TXT"
  path.write_text(OFFICIAL)
  found = [(name, x) for _, name, x in semeval.records(path)]
  assert found == [
    ("1", {"text": TEXT, "label": "Entity-Destination(e1,e2)"}),
    (
      "2",
      {
        "text": 'The "<e1>fire</e1>" came of <e2>heat</e2>.',
        "label": "Cause-Effect(e2,e1)",
      },
    ),
  ]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    (TEXT, "line 1: .*: must be a numbered sentence"),
    (f'1 "{TEXT}"\n2 "{TEXT}"', "line 2: .*: must be a relation"),
    (f'1 "{TEXT}"', "line 1: has no relation after it"),
    ('1 "no marks"\nOther', "line 1: 'no marks': must have one <e1>"),
  ],
)
def test_a_bad_line_is_named(tmp_path, text, message):
  path = tmp_path / "TRAIN_FILE.TXT"
  path.write_text(text)
  with pytest.raises(UsageError, match=message):
    list(semeval.records(path))


def test_triples_go_the_way_of_the_relation():
  back = "The <e2>cause</e2> of the <e1>effect</e1>."
  assert semeval.entities(back) == ("effect", "cause")
  assert semeval.triple(TEXT, "R(e1,e2)") == ("child", "R", "cradle")
  assert semeval.triple(back, "R(e2,e1)") == ("cause", "R", "effect")
  assert semeval.triple(TEXT, "Other") is None
  assert semeval.plain(TEXT) == "A child in the cradle."
