"""Tasks of retrieval: what is measured, and what is learnt from."""

import itertools

import json_lines
import pytest
import small_collection as small
from letters import Letters

from lm_jax.examples import labelled
from lm_jax.support.errors import UsageError
from lm_jax.tasks.beir import Beir
from lm_jax.tasks.cranfield import Cranfield
from lm_jax.tasks.passages import Passages
from lm_jax.tasks.titles import Titles

SPLITS = (labelled.TRAIN, labelled.DEV, labelled.TEST)


def task_at(cls, place, **fields):
  task = cls()
  task.place = str(place)
  for name, value in fields.items():
    setattr(task, name, value)
  return task


def test_embeddings_beside_bm25_query_by_query(tmp_path):
  task = task_at(Cranfield, small.jsonl(tmp_path))
  found = task.measure(Letters(), None)
  assert set(found.metrics) == {
    f"cranfield/{prefix}{name}"
    for prefix in ("", "bm25_")
    for name in ("nDCG@10", "RR@10", "R@100")
  }
  # All documents are found that are relevant, of six.
  assert found.metrics["cranfield/R@100"] == 1
  assert [record["id"] for record in found.predictions] == ["q1", "q2", "q3"]
  scores = [record["score"] for record in found.predictions]
  assert found.items == {"cranfield/nDCG@10": scores}
  mean = sum(scores) / 3
  assert found.metrics["cranfield/nDCG@10"] == pytest.approx(mean)
  assert len(found.predictions[0]["predicted"]) == 6
  # BM25 finds both boats and ships: the words are these.
  assert found.predictions[1]["bm25_score"] == pytest.approx(1)
  fewer = task_at(Cranfield, task.place, limit=1).measure(Letters(), None)
  assert len(fewer.predictions) == 1


def test_a_place_is_needed():
  with pytest.raises(UsageError, match="--task_data=cranfield=PATH: needed"):
    Cranfield().measure(Letters(), None)
  with pytest.raises(UsageError, match="--task_data=passages=PATH: needed"):
    Passages().examples(labelled.TRAIN)


def test_queries_without_splits_are_drawn(tmp_path):
  place = small.jsonl(tmp_path)
  found = {split: Cranfield().examples(split, place) for split in SPLITS}
  ids = [{search.id for search in found[split]} for split in SPLITS]
  assert sorted(itertools.chain(*ids)) == ["q1", "q2", "q3"]
  assert len(ids[0]) == 1
  for search in found[labelled.TRAIN]:  # a pair each
    assert len(search.positives) == 1
  judged = Cranfield().judge(
    [{"d1": 3.0}, {"d9": 1.0}], found[labelled.TEST][:1] * 2
  )
  assert judged.scores[1] == 0


def test_rankings_are_judged_by_their_collection(tmp_path):
  task = Beir()
  examples = task.examples(labelled.TEST, small.beir(tmp_path))
  right = [{"d1": 2.0, "d2": 1.0}, {"d6": 2.0, "d2": 1.0}, {"d4": 1.0}]
  judged = task.judge(right, examples)
  assert judged.metrics == {"nDCG@10": 1, "RR@10": 1, "R@100": 1}
  assert judged.scores == [1, 1, 1]
  swapped = task.judge([{"d1": 1.0, "d2": 2.0}, *right[1:]], examples)
  assert 0.8 < swapped.scores[0] < 1


@pytest.mark.parametrize(
  ("given", "counts"),
  [
    (("test",), (0, 0, 3)),
    (("train", "dev", "test"), (5, 3, 3)),
    # One of three queries is kept from training to choose by.
    (("train", "test"), (4, 1, 3)),
  ],
)
def test_beirs_own_splits(tmp_path, given, counts):
  place = small.beir(tmp_path, given)
  found = [Beir().examples(split, place) for split in SPLITS]
  assert tuple(map(len, found)) == counts
  if "dev" not in given:
    assert not {x.id for x in found[0]} & {x.id for x in found[1]}


def test_titles_are_held_out_to_choose_by(tmp_path):
  place = small.jsonl(tmp_path)
  train, dev, test = (Titles().examples(split, place) for split in SPLITS)
  assert len(train) == 3 and len(dev) == 1
  (held,) = dev
  assert held.id not in {pair.id for pair in train}
  # What is searched has no title in it.
  texts = [
    document.full_text for document in held.collection.documents.values()
  ]
  assert held.positives[0] in texts and held.query not in texts
  best = {held.id: 1.0}
  assert Titles().judge([best], dev).metrics["nDCG@10"] == 1
  assert {x.id for x in test} < {"q1", "q2", "q3"}


def test_passages_of_files(tmp_path):
  lines = [
    {"query": f"q{i}", "positive": [f"p{i}", f"r{i}"], "negatives": ["n"]}
    for i in range(10)
  ]
  json_lines.write(tmp_path / "train.jsonl", lines)
  json_lines.write(tmp_path / "test.jsonl.gz", lines[:2])
  task = Passages()
  train, dev, test = (task.examples(s, str(tmp_path)) for s in SPLITS)
  assert [len(x) for x in (train, dev, test)] == [18, 1, 2]
  assert not {x.query for x in dev} & {x.query for x in train}
  assert len(dev[0].collection.documents) == 21
  assert len(test[0].collection.documents) == 5
  json_lines.write(tmp_path / "dev.jsonl", lines[2:4])
  assert len(task.examples(labelled.TRAIN, str(tmp_path))) == 20
  assert len(task.examples(labelled.DEV, str(tmp_path))) == 2
