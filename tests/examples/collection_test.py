"""Collections in both forms, and what is wrong with them."""

import json_lines
import pytest
import small_collection as small

from lm_jax.examples import collection
from lm_jax.examples.collection import Document
from lm_jax.support.errors import UsageError


def read(place, split="test"):
  return collection.read(str(place), f"--collection={place}", split)


@pytest.mark.parametrize("form", ["jsonl", "beir"])
def test_both_forms_hold_the_same(tmp_path, form):
  place = getattr(small, form)(tmp_path)
  found = read(place)
  assert list(found.documents) == list(small.DOCUMENTS)
  assert dict(found.queries) == small.QUERIES
  assert found.documents["d2"].title == "Boats"
  assert found.relevance["q2"] == {"d2": 1, "d6": 1, "d1": 0}
  # A query is judged if something is relevant to it.
  assert found.judged == ["q1", "q2", "q3"]
  assert [d.id for d in found.relevant("q2")] == ["d2", "d6"]
  assert collection.splits(place) == (["test"] if form == "beir" else [])


def test_a_directory_of_plain_files_without_a_prefix(tmp_path):
  place = small.jsonl(tmp_path, end=".jsonl")
  for name in ("docs", "queries", "qrels"):
    (tmp_path / f"small_{name}.jsonl").rename(tmp_path / f"{name}.jsonl")
  assert len(read(tmp_path).documents) == len(small.DOCUMENTS)
  with pytest.raises(UsageError, match=r"tried .*small_docs\.jsonl; each"):
    read(place)


def test_a_title_is_searched_once():
  assert Document("1", "A fox", "a fox ran").full_text == "a fox ran"
  assert Document("1", "A fox", "a fox ran").body == "ran"
  assert Document("1", "Fox", "It ran").full_text == "Fox It ran"
  assert Document("1", "Fox", "It ran").body == "It ran"
  assert Document("1", "", "It ran").full_text == "It ran"
  assert Document("1", "Fox", "").full_text == "Fox"


def test_fingerprints_tell_documents_apart(tmp_path):
  first = read(small.jsonl(tmp_path, "a"))
  assert read(small.jsonl(tmp_path, "b")).fingerprint == first.fingerprint
  place = small.jsonl(tmp_path, "c", ".jsonl")
  assert read(place).fingerprint == first.fingerprint
  path = tmp_path / "c_docs.jsonl"
  path.write_text(path.read_text().replace("Boats sail", "Boats sank"))
  changed = read(place)  # Nothing of it is remembered under that name.
  assert changed.fingerprint != first.fingerprint


def test_another_split_is_another_file(tmp_path):
  place = small.beir(tmp_path, ("train", "dev"))
  assert read(place, "train").judged
  assert collection.splits(place) == ["train", "dev"]
  with pytest.raises(UsageError, match=r"tried .*qrels/test\.tsv"):
    read(place)


@pytest.mark.parametrize(
  ("name", "line", "message"),
  [
    ("docs", {"id": "d1", "text": "x"}, "id='d1': is there twice"),
    ("docs", {"id": "d 9", "text": "x"}, "id='d 9': must be one word"),
    ("docs", {"id": "d9"}, "no field 'text'; it has 'id'"),
    ("docs", {"id": "d9", "text": ["x"]}, r"text=\['x'\]: must be text"),
    ("docs", "{", "not JSON"),
    ("queries", {"id": "q1", "text": "x"}, "id='q1': is there twice"),
    ("qrels", {"query": "q9", "doc": "d1"}, "query 'q9': is not in the que"),
    ("qrels", {"query": "q1", "doc": "d9"}, "document 'd9': is not in the d"),
    ("qrels", {"query": "q1", "doc": "d1", "rel": 1}, "graded 2 before"),
    ("qrels", {"query": "q1", "doc": "d3", "rel": 0.5}, "grade 0.5: must be"),
    ("qrels", {"query": "q1", "doc": "d3", "rel": True}, "grade True: must"),
  ],
)
def test_what_is_wrong_is_told_by_line(tmp_path, name, line, message):
  place = small.jsonl(tmp_path, end=".jsonl")
  path = tmp_path / f"small_{name}.jsonl"
  number = len(path.read_text().splitlines()) + 1
  with path.open("a") as file:
    file.write(line if isinstance(line, str) else "")
  if not isinstance(line, str):
    json_lines.write(path, [*path.read_text().splitlines(), line])
  with pytest.raises(UsageError, match=f"line {number}: .*{message}"):
    read(place)


@pytest.mark.parametrize(
  ("row", "message"),
  [
    ("q1\td1", "has 2 fields"),
    ("q1\td3\tmuch", "grade 'much': must be a whole number"),
    ("query-id\tcorpus-id\tscore", "query 'query-id': is not in"),
  ],
)
def test_what_is_wrong_with_a_table(tmp_path, row, message):
  place = small.beir(tmp_path)
  path = tmp_path / "qrels" / "test.tsv"
  path.write_text(path.read_text() + row + "\n")
  with pytest.raises(UsageError, match=f"tsv, line 9: {message}"):
    read(place)


@pytest.mark.parametrize("name", ["docs", "queries", "qrels"])
def test_an_empty_file_is_told(tmp_path, name):
  place = small.jsonl(tmp_path, end=".jsonl")
  (tmp_path / f"small_{name}.jsonl").write_text("\n")
  with pytest.raises(UsageError, match=f"small_{name}.jsonl: has no"):
    read(place)
