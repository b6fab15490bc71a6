"""The unique data of a run: nested, whole documents, no more than asked for."""

import hashlib
import sys

import numpy as np
import pytest

from lm_jax.data import corpus, mixture, open_tokenizer, rows, unique
from lm_jax.data.options import DataOptions
from lm_jax.support.errors import UsageError

COUNT = 60


@pytest.fixture(scope="module")
def options(tmp_path_factory):
  folder = tmp_path_factory.mktemp("unique")
  words = np.random.default_rng(0)
  for number in range(COUNT):
    size = int(words.integers(5, 60))
    text = " ".join(words.choice(["国", "state", "of", "the", "union"], size))
    (folder / f"{number:02}.txt").write_text(f"{number} {text}.")
  cache = str(tmp_path_factory.mktemp("cache"))
  return {"corpus": str(folder), "tokenizer": "bytes", "cache": cache}


def texts(options, **changes):
  """The training documents that are read, by what was asked for."""
  asked = DataOptions(**(options | changes))
  dataset = rows.load(asked, 64)
  return [d.text for d in dataset.corpus.documents("train")], dataset


def shuffled(options):
  """All training documents in the order in which they are taken."""
  whole, _ = texts(options)
  return sorted(
    whole, key=lambda t: hashlib.sha256(b"unique\n" + t.encode()).digest()[:8]
  )


@pytest.mark.parametrize("unit", ["documents", "bytes", "tokens", "share"])
def test_a_prefix_of_the_shuffled_documents_is_read(options, unit):
  order = shuffled(options)
  sizes = [len(text.encode()) for text in order]  # and tokens, of bytes
  amounts = {
    "documents": [1, 7, len(order)],
    "share": [0.01, 0.5, 1],
    "bytes": [sizes[0], sum(sizes[:9]) + 1, sum(sizes)],
    "tokens": [sizes[0], sum(sizes[:9]) + 1, sum(sizes)],
  }[unit]
  wanted = {
    "documents": [1, 7, len(order)],
    "share": [1, -(-len(order) // 2), len(order)],
  }.get(unit, [1, 9, len(order)])
  before: set[str] = set()
  for amount, count in zip(amounts, wanted, strict=True):
    read, dataset = texts(options, unique=f"{unit}:{amount}")
    assert set(read) == set(order[:count])
    assert before <= set(read)
    before = set(read)
    counts = dataset.tables[0].splits["train"]
    assert (counts.documents, counts.tokens) == (count, sum(sizes[:count]))


class Pieces:
  """Stands in for jieba: each character is a piece."""

  __version__ = "0.42.1"

  @staticmethod
  def cut(text):
    yield from text


@pytest.mark.parametrize("unit", ["words", "jieba"])
def test_a_budget_of_words(options, unit, monkeypatch):
  monkeypatch.setitem(sys.modules, "jieba", Pieces)
  order = shuffled(options)
  # Words are parted by white space; a sign at a word is part of it.
  sizes = [len(x.split()) if unit == "words" else len(x) for x in order]
  read, _ = texts(options, unique=f"{unit}:{sum(sizes[:5])}")
  assert set(read) == set(order[:5])
  read, _ = texts(options, unique=f"{unit}:{sum(sizes[:5]) - 1}")
  assert set(read) == set(order[:4])


def test_another_version_of_jieba_is_another_corpus(options, monkeypatch):
  monkeypatch.setitem(sys.modules, "jieba", Pieces)
  _, one = texts(options, unique="jieba:400")
  monkeypatch.setattr(Pieces, "__version__", "0.43")
  _, other = texts(options, unique="jieba:400")
  assert one.fingerprint != other.fingerprint


def test_without_jieba_it_is_one_line(options, monkeypatch):
  monkeypatch.setitem(sys.modules, "jieba", None)
  message = "--data.unique=jieba: counts the .* pip install jieba==0.42.1"
  with pytest.raises(UsageError, match=message):
    texts(options, unique="jieba:400")


def test_held_out_splits_and_the_tokenizer_are_as_ever(options):
  whole = rows.load(DataOptions(**(options | {"tokenizer": "bpe"})), 64)
  few = rows.load(
    DataOptions(**(options | {"tokenizer": "bpe", "unique": "documents:3"})), 64
  )
  assert few.tokenizer.fingerprint == whole.tokenizer.fingerprint
  assert few.fingerprint != whole.fingerprint
  for one, other in zip(
    few.fixed("validation", 4), whole.fixed("validation", 4), strict=True
  ):
    np.testing.assert_array_equal(one.tokens_BxL, other.tokens_BxL)


def test_a_document_in_parts_is_one():
  parts = [
    corpus.Document("ab", {"name": "x", "ends": False}),
    corpus.Document("cd", {"name": "x"}),
    corpus.Document("abcd", {"name": "y"}),
    corpus.Document("e", {"name": "z"}),
  ]
  numbers = [number for number, _ in unique._numbered(iter(parts))]
  assert numbers == [0, 0, 1, 2]
  whole = corpus.Corpus("x", "0", lambda split: iter(parts))
  rank, sizes = unique._measure(whole)
  assert sizes.tolist() == [4, 4, 1]
  assert rank[0] == rank[1] != rank[2]


def test_each_corpus_of_a_mixture_has_its_share(options):
  both = mixture.open_mixture(
    DataOptions(**(options | {"corpus": f"{options['corpus']}:3,sotu:1"}))
  )
  tokenizer = open_tokenizer.load_tokenizer(
    DataOptions(**options), both.corpora[0]
  )
  limited = rows._limited(
    both, DataOptions(**(options | {"unique": "documents:20"})), tokenizer
  )
  counts = [len(list(c.documents("train"))) for c in limited.corpora]
  assert counts == [15, 5]


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("tokens", "tokens are a whole number"),
    ("lines:3", "is UNIT:AMOUNT, as in tokens:1e6"),
    ("words:1e9", "has [0-9,]+ words to train on, in 5[0-9] documents"),
    ("share:1.5", "a share must be above 0 and at most 1"),
    ("share:x", "a share must be above 0"),
    ("documents:0", "documents are a whole number above 0"),
    ("documents:1.5", "documents are a whole number above 0"),
    ("documents:1e6", "has 5[0-9] documents to train on"),
    ("tokens:1e9", "has [0-9,]+ tokens to train on, in 5[0-9] documents"),
    ("bytes:1", "the first document of .* alone has [0-9]+ bytes"),
  ],
)
def test_amounts_that_cannot_be(options, text, message):
  with pytest.raises(UsageError, match=f"--data.unique=.*({message})"):
    rows.load(DataOptions(**(options | {"unique": text})), 64)


def test_what_is_no_amount_is_refused_before_anything_is_read():
  from lm_jax import config
  from lm_jax.data.options import DataOptions

  with pytest.raises(UsageError, match="--data.unique=lines:3: is UNIT:AMOUNT"):
    config.build(config.Config(data=DataOptions(unique="lines:3")))
