import collections
import itertools

import pytest

from lm_jax.data import sotu
from lm_jax.data.corpus import Corpus, Document
from lm_jax.examples import passages


@pytest.fixture(scope="module")
def corpus():
  messages = sotu.read()

  def read(split):
    for m in messages:
      if sotu.split_of(m["year"]) == split:
        yield Document(m["text"], {k: m[k] for k in ("year", "party")})

  return Corpus("sotu", "", read)


@pytest.mark.parametrize("task", ["era", "party"])
@pytest.mark.parametrize("split", ["train", "test"])
def test_passages_are_balanced_and_from_messages_of_the_label(
  corpus, task, split
):
  found = passages.passages(corpus, task, split, 400, 0)
  labels = len(passages.LABELS[task])
  assert len(found) == 400
  assert set(collections.Counter(p.label for p in found).values()) == {
    400 // labels
  }
  assert all(40 <= len(p.text.split()) <= 90 for p in found)
  plain = [(" ".join(d.text.split()), d) for d in corpus.documents(split)]
  for passage in found[:20]:
    name = passages.LABELS[task][passage.label]
    sources = [d for text, d in plain if passage.text in text]
    assert sources
    if task == "party":
      assert name in {d.metadata["party"] for d in sources}
    else:
      first, last = map(int, name.split("-"))
      assert any(first <= d.metadata["year"] <= last for d in sources)


def test_eras_have_like_numbers_of_messages(corpus):
  years = [m["year"] for m in sotu.read()]
  starts = [*passages.ERAS, 3000]
  for first, end in itertools.pairwise(starts):
    assert 60 <= sum(first <= year < end for year in years) <= 64


def test_messages_take_turns_and_the_seed_decides(corpus):
  found = passages.passages(corpus, "party", "test", 22, 0)
  assert found == passages.passages(corpus, "party", "test", 22, 0)
  assert found != passages.passages(corpus, "party", "test", 22, 1)
  # 5 Democratic and 7 Republican messages; 11 passages of each.
  texts = [
    " ".join(d.text.split())
    for d in corpus.documents("test")
    if d.metadata["party"] == "Republican"
  ]
  counts = [sum(p.text in text for p in found) for text in texts]
  assert max(counts) <= 2
  assert min(counts) >= 1


def test_other_corpora_have_no_labels():
  other = Corpus("books/*.txt", "", lambda split: iter(()))
  assert passages.passages(other, "era", "test", 10, 0) == []


def test_an_unknown_task_is_refused(corpus):
  with pytest.raises(ValueError, match="valid: era, party"):
    passages.passages(corpus, "topic", "test", 10, 0)
