import collections
import dataclasses
import itertools
import json
import pathlib
from fractions import Fraction

import numpy as np
import pytest

from lm_jax.data import mixture, order, rows
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError

LENGTH = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Three corpora, the documents of each of one letter."""
  folder = tmp_path_factory.mktemp("mixture")
  for letter, count in (("a", 300), ("b", 120), ("c,d:1", 40)):
    lines = [
      json.dumps({"text": f"{letter[0] * 3} " * 20 + f"{i}."})
      for i in range(count)
    ]
    (folder / f"{letter}.jsonl").write_text("\n".join(lines))
  return folder


def _options(folder, parts, **changes):
  corpus = ",".join(f"{folder}/{part}" for part in parts)
  options = DataOptions(
    corpus=corpus, tokenizer="bytes", cache=str(folder / "cache"), sentinels=3
  )
  return dataclasses.replace(options, **changes)


def _letters(dataset, tokens_BxL):
  """The part that each row is of: its corpus's letter."""
  found = []
  for row in tokens_BxL:
    counts = collections.Counter(dataset.tokenizer.decode(row))
    found.append(max("abc", key=lambda letter: counts[letter]))
  return found


def _brute(weights, count):
  """The parts in turn: each where its rounded share of what is left grows."""
  if len(weights) == 1:
    return [0] * count
  share = Fraction(weights[0], sum(weights))
  grows = [
    int((n + 1) * share + Fraction(1, 2)) > int(n * share + Fraction(1, 2))
    for n in range(count)
  ]
  rest = iter(_brute(weights[1:], count))
  return [0 if here else 1 + next(rest) for here in grows]


def test_a_mixture_is_what_it_is_by_hand(folder):
  dataset = rows.load(
    _options(folder, ["a.jsonl:0.5", "b.jsonl:0.3", "c,d:1.jsonl:0.2"]), LENGTH
  )
  tables = dataset.tables
  counts = [table.rows("train") for table in tables]
  parts = _brute([5, 3, 2], 6 * max(counts))
  seen = [0, 0, 0]
  expected = []
  for part in parts:
    epoch, place = divmod(seen[part], counts[part])
    entropy = [7, epoch, part][: 2 + (part > 0)]
    row = order.Permutation(entropy, counts[part])(np.array([place]))
    expected.append(tables[part].read_rows("train", row)[0, 0])
    seen[part] += 1
  assert all(s > c for s, c in zip(seen, counts, strict=True))
  size = 8
  steps = len(parts) // size
  batches = [dataset.batch(7, k, size).tokens_BxL for k in range(steps)]
  np.testing.assert_array_equal(
    np.concatenate(batches), expected[: steps * size]
  )
  letters = _letters(dataset, np.concatenate(batches))
  assert letters == ["abc"[part] for part in parts[: steps * size]]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mixture_is_read_from_any_step(folder, workers):
  dataset = rows.load(_options(folder, ["a.jsonl:0.7", "b.jsonl:0.3"]), LENGTH)
  iterator = dataset.batches(1, 8, 1_000_000, 1, 2, workers)
  found = list(itertools.islice(iterator, 3))
  iterator.close()
  for k, batch in enumerate(found):
    whole = dataset.batch(1, 1_000_000 + k, 8)
    np.testing.assert_array_equal(batch.tokens_BxL, whole.tokens_BxL[4:])


def test_without_weights_the_sizes_decide_and_an_epoch_is_of_all(folder):
  dataset = rows.load(_options(folder, ["a.jsonl", "b.jsonl"]), LENGTH)
  count = dataset.rows("train")
  whole = dataset.batch(0, 0, count).tokens_BxL
  taken = [
    table.read_rows("train", np.arange(table.rows("train")))[0].tolist()
    for table in dataset.tables
  ]
  assert sorted(whole.tolist()) == sorted(itertools.chain(*taken))
  first = _letters(dataset, whole[: count // 2])
  share = dataset.tables[0].rows("train") / count
  assert abs(first.count("a") - share * len(first)) < 2


def test_temperature_flattens_the_weights(folder):
  options = _options(folder, ["a.jsonl:0.8", "b.jsonl:0.2"], temperature=2.0)
  dataset = rows.load(options, LENGTH)
  letters = _letters(dataset, dataset.batch(0, 0, 90).tokens_BxL)
  assert letters.count("a") == 60  # sqrt(0.8) : sqrt(0.2) = 2 : 1


def test_something_is_read_of_all_parts_at_any_temperature(folder):
  parts = ["a.jsonl:0.8", "b.jsonl:0.2"]
  cold = mixture.open_mixture(_options(folder, parts, temperature=1e-9))
  hot = mixture.open_mixture(_options(folder, parts, temperature=1e9))
  assert min(cold.shares([1, 1])) >= 1
  a, b = hot.shares([1, 1])
  assert abs(a / b - 1) < 1e-6


def test_held_out_rows_are_those_of_all_parts(folder):
  options = _options(folder, ["a.jsonl:1", "b.jsonl:3"])
  dataset = rows.load(options, LENGTH)
  count = dataset.rows("test")
  (batch,) = dataset.fixed("test", count)
  letters = "".join(_letters(dataset, batch.tokens_BxL))
  assert letters[:8].count("b") == 6  # and then b has no more
  counts = [table.rows("test") for table in dataset.tables]
  assert [letters.count("a"), letters.count("b")] == counts
  is_text = batch.tokens_BxL >= 12  # of the tokenizer "bytes"
  np.testing.assert_array_equal(dataset.bytes("test"), is_text.sum(1))


def test_whatever_changes_the_mixture_changes_the_fingerprint(folder):
  variants = [
    _options(folder, ["a.jsonl:0.7", "b.jsonl:0.3"]),
    _options(folder, ["a.jsonl:0.6", "b.jsonl:0.4"]),
    _options(folder, ["b.jsonl:0.3", "a.jsonl:0.7"]),
    _options(folder, ["a.jsonl", "b.jsonl"]),
    _options(folder, ["a.jsonl:0.7", "b.jsonl:0.3"], temperature=2.0),
    _options(folder, ["a.jsonl"]),
  ]
  found = {rows.load(options, LENGTH).fingerprint for options in variants}
  assert len(found) == len(variants)
  # The parts are prepared once.
  tables = pathlib.Path(variants[0].cache, "rows").glob("*/facts.json")
  again = rows.load(_options(folder, ["b.jsonl:2", "a.jsonl:3"]), LENGTH)
  assert again.fingerprint not in found
  assert len(list(tables)) == len(
    list(pathlib.Path(variants[0].cache, "rows").glob("*/facts.json"))
  )


def test_the_tokenizer_learns_from_the_parts_in_proportion(folder):
  opened = mixture.open_mixture(_options(folder, ["a.jsonl:1", "b.jsonl:3"]))
  documents = list(itertools.islice(opened.corpus.documents("train"), 40))
  assert [d.text[0] for d in documents].count("b") in (29, 30, 31)
  whole = list(opened.corpus.documents("train"))
  parts = [list(corpus.documents("train")) for corpus in opened.corpora]
  assert len(whole) == len(parts[0]) + len(parts[1])


def test_how_parts_are_written(folder, monkeypatch):
  monkeypatch.chdir(folder)
  half = Fraction(1, 2)
  for text, parts in (
    ("a.jsonl", [("a.jsonl", None)]),
    ("a.jsonl:0.5", [("a.jsonl", half)]),
    ("lm1b:1.1.0", [("lm1b:1.1.0", None)]),
    ("lm1b:1.1.0:.5,sotu:2", [("lm1b:1.1.0", half), ("sotu", Fraction(2))]),
    ("c,d:1.jsonl", [("c,d:1.jsonl", None)]),
    ("c,d:1.jsonl:0.5,sotu:1", [("c,d:1.jsonl", half), ("sotu", Fraction(1))]),
    ("sotu,c,d:1.jsonl", [("sotu", None), ("c,d:1.jsonl", None)]),
    ("c,*.jsonl,[ab].jsonl", [("c,*.jsonl", None), ("[ab].jsonl", None)]),
    ("x.jsonl:1e9", [("x.jsonl:1e9", None)]),
  ):
    assert mixture.parse(text) == parts, text


@pytest.mark.parametrize(
  ("corpus", "message"),
  [
    ("sotu:0", "the weight of 'sotu' is 0; it must be above 0"),
    ("sotu:1,lm1b:-2", "the weight of 'lm1b' is -2; it must be above 0"),
    ("sotu:1,lm1b", "'lm1b' has no weight; give all parts one, or none"),
    ("sotu,,lm1b", "a part has no name"),
    ("", "a part has no name"),
    ("sotu:1,sotu:2", "'sotu' is there twice"),
  ],
)
def test_bad_mixtures_are_named(corpus, message):
  with pytest.raises(UsageError, match=message) as caught:
    mixture.parse(corpus)
  assert "\n" not in str(caught.value)
