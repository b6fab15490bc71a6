"""Searches: which are for what, and pairs in files."""

import itertools

import json_lines
import small_collection as small

from lm_jax.examples import collection, searches

IDS = [f"q{i}" for i in range(100)]


def test_splits_are_drawn_once_for_all():
  split = {s: searches.chosen(IDS, s) for s in ("train", "dev", "test")}
  assert sorted(itertools.chain(*split.values())) == sorted(IDS)
  assert [len(ids) for ids in split.values()] == [50, 16, 34]
  # Nor does it matter in which order they come.
  assert set(searches.chosen(IDS[::-1], "dev")) == set(split["dev"])
  # Changing this changes everybody's figures.
  assert split["dev"][:4] == ["q6", "q12", "q33", "q45"]
  assert len(searches.held_out(IDS)) == 10


def test_documents_that_are_relevant_and_not_empty(tmp_path):
  found = collection.read(small.jsonl(tmp_path), "x")
  first, second = searches.from_collection(found, ["q1", "q2"])
  assert first.query == "foxes running"
  assert len(first.positives) == len(second.positives) == 2
  assert second.positives[0] == "Boats sail on the lake, and a fox looks on."
  pairs = searches.pairs([first, second])
  assert [(x.id, len(x.positives)) for x in pairs] == [
    *[("q1", 1)] * 2,
    *[("q2", 1)] * 2,
  ]
  found.relevance["q3"]["d5"] = 1
  (third,) = searches.from_collection(found, ["q3"])
  assert len(third.positives) == 2  # Its title is a text, too.


def test_titles_find_the_texts_behind_them(tmp_path):
  found = collection.read(small.jsonl(tmp_path), "x")
  pairs = {x.id: (x.query, x.positives) for x in searches.titles(found)}
  assert pairs["d1"] == ("The red fox", ("ran over the hills.",))
  assert set(pairs) == {"d1", "d2", "d4", "d6"}  # no title, or no text


def test_pairs_are_searched_in_all_passages(tmp_path):
  path = tmp_path / "train.jsonl"
  json_lines.write(
    path,
    [
      {"query": "a", "positive": "one", "negatives": ["two", "three"]},
      {"query": "b", "positive": ["two", "four"]},
    ],
  )
  first, second = searches.read_pairs(path)
  assert first.negatives == ("two", "three")
  assert second.positives == ("two", "four")
  held = first.collection
  texts = {d.text: d.id for d in held.documents.values()}
  assert set(texts) == {"one", "two", "three", "four"}
  assert held.relevance == {
    "1": {texts["one"]: 1},
    "2": {texts["two"]: 1, texts["four"]: 1},
  }
