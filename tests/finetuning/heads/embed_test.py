"""Pairs as items, and searches as answers."""

import itertools

import jax
import numpy as np
import pytest
import small_collection as small

from lm_jax.examples import collection, searches
from lm_jax.examples.searches import Search
from lm_jax.finetuning import packing
from lm_jax.finetuning.heads.embed import Embed, fitting
from lm_jax.objectives import _supervised
from lm_jax.objectives import embed as objective
from lm_jax.support.errors import UsageError
from lm_jax.tasks.cranfield import Cranfield
from lm_jax.types import Spec

LENGTH = 64
FOUND = [
  Search("1", "who said so?", ("Ann Lee said so.",), ("É. Müller had sacks.",)),
  Search("2", "what?", ("Ann Lee said so.", "308 points")),
]


def read_back(tokenizer, item):
  """(label, number, text) of each text of an item."""
  real = item.label >= 0
  keys = zip(item.label[real], item.text[real], strict=True)
  out, at = [], 0
  for key, group in itertools.groupby(keys):
    size = len(list(group))
    out.append(
      (*map(int, key), tokenizer.decode(item.tokens[at : at + size].tolist()))
    )
    at += size
  return out


def test_a_pair_is_one_item(tokenizer):
  encoded = Embed().encode(Cranfield(), FOUND, tokenizer, 200, {})
  assert [item.example for item in encoded.items] == [0, 1, 1]
  assert encoded.cut == 0
  pairs = [read_back(tokenizer, item) for item in encoded.items]
  assert [[label for label, _, _ in pair] for pair in pairs] == [
    [objective.QUERY, objective.PASSAGE, objective.NEGATIVE],
    *[[objective.QUERY, objective.PASSAGE]] * 2,
  ]
  # Numbers tell texts apart, wherever they stand.
  assert pairs[0][1] == pairs[1][1]
  assert pairs[1][0] == pairs[2][0]
  numbers = {(n, text) for pair in pairs for _, n, text in pair}
  assert len(numbers) == len({n for n, _ in numbers}) == 5
  before, after = tokenizer.specials.before, tokenizer.specials.after
  ids = [*before, *tokenizer.encode("what?"), *after]
  assert encoded.items[1].tokens[: len(ids)].tolist() == ids


def test_a_long_pair_is_cut_and_counted(tokenizer):
  long = Search("3", "who?", ("said Ann Lee " * 30,), ("sacks " * 40,))
  encoded = Embed().encode(
    Cranfield(), [*FOUND[:1], long], tokenizer, LENGTH, {}
  )
  assert encoded.cut >= 1
  item = encoded.items[-1]
  assert len(item.tokens) in (LENGTH, LENGTH - 1)
  sizes = np.unique(item.label, return_counts=True)[1]
  assert abs(sizes[1] - sizes[2]) <= 1  # The query lost nothing.
  ids = tokenizer.encode("who?")
  around = tokenizer.specials.before + tokenizer.specials.after
  assert sizes[0] == len(ids) + len(around)


def test_texts_that_are_too_short_take_room(tokenizer):
  """A row has room for so many texts; they are read all the same."""
  short = [Search(str(i), "a", ("b",)) for i in range(40)]
  items = Embed().encode(Cranfield(), short, tokenizer, LENGTH, {}).items
  shape = packing.Shape(LENGTH, 0, _supervised.room(LENGTH))
  rows = packing.pack(packing.sizes(items), np.arange(len(items)), shape)
  laid = packing.lay(items, rows, shape, tokenizer.specials.pad)
  spec = Spec("encoder", LENGTH, 500, tokenizer.specials)
  problem = objective.Embed().make(jax.random.key(0), laid, spec)
  assert problem.weights["query"].sum() == 40
  words = [x.size for x in np.split(items[0].tokens, 2)]
  assert words == [4, 4]
  real = np.asarray(problem.inputs.segment_BxT) > 0
  assert real.sum() == sum((item.label >= 0).sum() for item in items)


def test_sizes_that_fit():
  rng = np.random.default_rng(0)
  for _ in range(50):
    sizes, room = rng.integers(1, 40, 4).tolist(), int(rng.integers(10, 120))
    kept = fitting(sizes, room)
    if sum(sizes) <= room:
      assert kept == sizes
      continue
    assert room - len(sizes) < sum(kept) <= room
    cut = [k for k, size in zip(kept, sizes, strict=True) if k < size]
    # None that was cut keeps less than another one, but for a remainder.
    assert max(kept) - min(cut) <= 1


def test_rows_keep_pairs_together(tokenizer):
  encoded = Embed().encode(Cranfield(), FOUND, tokenizer, 200, {})
  items = encoded.items
  shape = packing.Shape(400, 0, 100)
  rows = packing.pack(packing.sizes(items), np.arange(len(items)), shape)
  laid = packing.lay(items, rows, shape, tokenizer.specials.pad)
  texts = np.asarray(_supervised.texts(laid, laid.sentence_BxL))
  assert texts.max() == 7 or len(rows) > 1
  for row, members in zip(texts, rows, strict=True):
    assert row.max() == sum(3 if i == 0 else 2 for i in members)


@pytest.mark.parametrize(
  ("search", "message"),
  [
    (Search("7", "who?", ("",)), "example 7: a text has no token"),
    (
      Search("7", "x " * 40, tuple("ab"), ("sacks",) * 70),
      "no room for its 72",
    ),
  ],
)
def test_what_cannot_be_an_item(tokenizer, search, message):
  with pytest.raises(UsageError, match=message):
    Embed().encode(Cranfield(), [search], tokenizer, LENGTH, {})


def test_the_answer_is_a_search_of_the_collection(tmp_path, monkeypatch):
  found = collection.read(small.jsonl(tmp_path), "x")
  asked = searches.from_collection(found, ["q3", "q1"])
  seen = {}

  def search(scorer, collection, queries, k):
    seen[collection.name] = queries
    return {name: {f"{name}!": 1.0} for name in queries}

  monkeypatch.setattr("lm_jax.inference.score.Scorer", lambda model: None)
  monkeypatch.setattr("lm_jax.retrieval.dense.search", search)
  answers = Embed().answer(None, Cranfield(), asked)
  assert answers == [{"q3!": 1.0}, {"q1!": 1.0}]
  assert seen == {"small": {"q3": "baking bread", "q1": "foxes running"}}
  with pytest.raises(UsageError, match="its examples are of no collection"):
    Embed().answer(None, Cranfield(), FOUND)
