import gzip
import json

import pytest

from lm_jax.data import conll
from lm_jax.errors import UsageError

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
    # I begins an entity, and so does B: no scheme has both.
    (("B-PER", "O", "I-LOC"), "line 3: tag I-LOC follows O: that is not IOB2"),
    (("S-X", "I-X"), "line 2: tag I-X follows S-X: that is not BIOES"),
    (("E-X",), "line 1: tag E-X follows O: that is not BIOES"),
  ],
)
def test_a_tag_that_no_scheme_has_there(tmp_path, tags, message):
  with pytest.raises(UsageError, match=message):
    list(conll.columns(write(tmp_path / "a.txt", tags)))


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


@pytest.mark.parametrize(
  ("record", "message"),
  [
    ({"tokens": ["a"]}, "line 1: no field 'tags' or 'ner_tags'"),
    ({"tokens": ["a"], "tags": []}, "line 1: has 1 tokens and 0 tags"),
    (
      {"tokens": "a", "tags": ["O"]},
      "line 1: field tokens='a': must be a list",
    ),
    ({"tokens": [1], "tags": ["O"]}, r"field tokens=\[1\]: must be a list"),
  ],
)
def test_a_bad_record_is_named(tmp_path, record, message):
  path = tmp_path / "a.jsonl"
  path.write_text(json.dumps(record))
  with pytest.raises(UsageError, match=message):
    list(conll.jsonl(path))
