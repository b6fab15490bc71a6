import gzip
import json

import pytest

from lm_jax.examples import conll
from lm_jax.support.errors import UsageError

WORDS = ("Ann", "Lee", "met", "Bo", "in", "New", "York")
IOB2 = ("B-PER", "I-PER", "O", "B-PER", "O", "B-LOC", "I-LOC")


def write(path, *sentences):
  """Lines "word X tag", an empty one between the sentences."""
  text = "\n\n".join(
    "\n".join(f"{word} X {tag}" for word, tag in zip(WORDS, tags, strict=False))
    for tags in sentences
  )
  path.write_text(text + "\n", encoding="utf-8")
  return path


def test_columns_documents_and_tabs(tmp_path):
  path = tmp_path / "train.conll"
  path.write_text(
    "\ufeff-DOCSTART- -X- -X- O\n\nAnn NNP I-NP B-PER\nwon VBD I-VP O\n\n\n"
    "a b\tO\nsaid so\tB-X\r\n"
  )
  found = list(conll.columns(path))
  assert [(x.id, x.words, x.tags) for x in found] == [
    ("1", ("Ann", "won"), ("B-PER", "O")),
    ("2", ("a b", "said so"), ("O", "B-X")),
  ]


@pytest.mark.parametrize(
  ("tags", "want"),
  [
    (IOB2, IOB2),
    # IOB1: B only between two of a kind.
    (("I-PER", "I-PER", "O", "I-PER", "O", "I-LOC", "I-LOC"), IOB2),
    (("I-PER", "B-PER", "I-LOC"), ("B-PER", "B-PER", "B-LOC")),
    (("B-PER", "E-PER", "O", "S-PER", "O", "B-LOC", "E-LOC"), IOB2),
    (("B-PER", "L-PER", "O", "U-PER", "O", "B-LOC", "L-LOC"), IOB2),
    (("B-X", "I-X", "E-X", "S-X"), ("B-X", "I-X", "I-X", "B-X")),
  ],
)
def test_schemes_become_iob2(tmp_path, tags, want):
  found = list(conll.columns(write(tmp_path / "a.txt", tags)))
  assert [one.tags for one in found] == [want]


@pytest.mark.parametrize(
  ("tags", "message"),
  [
    (("O", "PER"), "line 2: tag 'PER': must be O, or B-, I-"),
    (("O", "I-"), "line 2: tag 'I-': must be"),
  ],
)
def test_a_tag_that_no_scheme_has_there(tmp_path, tags, message):
  with pytest.raises(UsageError, match=message):
    list(conll.columns(write(tmp_path / "a.txt", tags)))


@pytest.mark.parametrize(
  ("tags", "want", "told"),
  [
    # I begins an entity, and so does B: no scheme has both.
    (("B-PER", "O", "I-LOC"), ("B-PER", "O", "B-LOC"), "tag I-LOC follows O"),
    (
      ("B-PER", "I-LOC", "O"),
      ("B-PER", "B-LOC", "O"),
      "tag I-LOC follows B-PER",
    ),
    (("S-X", "I-X"), ("B-X", "B-X"), "tag I-X follows S-X"),
    (("E-X", "I-X"), ("B-X", "B-X"), "tag E-X follows O"),
  ],
)
def test_what_goes_on_with_nothing_begins_an_entity(
  tmp_path, caplog, tags, want, told
):
  """As conlleval has it; Weibo NER's published file has one such line."""
  path = write(tmp_path / "a.txt", IOB2, tags)
  found = list(conll.columns(path))
  assert found[1].tags == want
  message = "tags that go on with no entity begin one, as conlleval has it: "
  count = 2 if tags == ("E-X", "I-X") else 1
  assert f"{message}{count}, the first in {path}, line " in caplog.text
  assert caplog.text.rstrip().endswith(told)


def test_words_are_parted_by_tabs_or_blanks_alone(tmp_path):
  path = tmp_path / "a.conll"
  path.write_text(
    "10\u00a0000 O\na\u2028b \t O\n\u3000\tO\nc\x0cd\x85 B-X\r\n\n",
    encoding="utf-8",
    newline="",
  )
  (found,) = conll.columns(path)
  assert found.tags == ("O", "O", "O", "B-X")
  assert found.words[0] == "10\u00a0000"
  assert found.words[1].strip(" ") == "a\u2028b"
  assert found.words[2:] == ("\u3000", "c\x0cd\x85")


def test_a_line_without_a_tag(tmp_path):
  path = tmp_path / "a.conll"
  path.write_text("Ann B-PER\n\nwon\n")
  with pytest.raises(UsageError, match="line 3: 'won': must be a word and a"):
    list(conll.columns(path))


def test_bytes_that_are_no_text(tmp_path):
  path = tmp_path / "a.conll"
  path.write_bytes(b"a O\n\xff O\n")
  with pytest.raises(UsageError, match="line 2: is not UTF-8: byte 0 is 0xff"):
    list(conll.columns(path))


def test_jsonl(tmp_path):
  path = tmp_path / "a.jsonl.gz"
  records = [
    {"tokens": WORDS, "tags": IOB2},
    {"id": "x", "words": ["a"], "ner_tags": ["O"]},
  ]
  with gzip.open(path, "wt") as file:
    file.writelines(json.dumps(record) + "\n" for record in records)
  found = list(conll.jsonl(path))
  assert [(x.id, x.words, x.tags) for x in found] == [
    ("1", WORDS, IOB2),
    ("x", ("a",), ("O",)),
  ]
