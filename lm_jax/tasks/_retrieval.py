"""Measures search in a collection, by embeddings and by BM25."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from lm_jax.examples import collection as collection_lib
from lm_jax.examples import labelled, records, searches
from lm_jax.examples.collection import Collection
from lm_jax.examples.searches import Search
from lm_jax.retrieval import bm25, dense, measures
from lm_jax.support.errors import UsageError
from lm_jax.tasks import base

_DEPTH, _SHOWN, _QUICK = 100, 10, 20
_MAIN = "nDCG@10"


class Retrieval(base.DataTask, base.SupervisedTask):
  """Queries with relevant documents, in local files.

  `measure` searches with all judged queries by frozen embeddings (the model's
  pooling, by default the mean; cosines; exact), and by BM25 for comparison.
  """

  objective = "embed"
  primary = _MAIN

  def examples(self, split: str, place: str = "") -> list[Search]:
    given = collection_lib.splits(place)
    source = split
    if split == labelled.DEV and labelled.TRAIN in given:
      source = split if split in given else labelled.TRAIN
    if given and source not in given:
      return []
    collection = self.collection(place, source)
    names = collection.judged
    if not given:
      names = searches.chosen(names, split)
    elif source == labelled.TRAIN and labelled.DEV not in given:
      held = searches.held_out(names)
      names = [x for x in names if (x in held) == (split == labelled.DEV)]
    wanted = searches.from_collection(collection, names)
    return searches.pairs(wanted) if split == labelled.TRAIN else wanted

  def collection(self, place: str, split: str = labelled.TEST) -> Collection:
    """Returns the collection to search, with the judgements of a split.

    Raises:
      UsageError: no place is given; see also lm_jax.examples.collection.read.
    """
    where = f"--task_data={self.name}={place}"
    if not place:
      raise UsageError(
        f"{where}PATH: needed, a directory as BEIR has it, or the beginning of"
        " PREFIX_docs.jsonl, PREFIX_queries.jsonl and PREFIX_qrels.jsonl"
      )
    return collection_lib.read(place, where, split)

  def judge(
    self, predicted: Sequence[Mapping[str, float]], examples: Sequence[Search]
  ) -> base.Judged:
    """Judges rankings, one for each query."""
    run, relevance = {}, {}
    for i, (ranking, search) in enumerate(
      zip(predicted, examples, strict=True)
    ):
      if search.collection is None:
        raise ValueError(f"search {search.id} is of no collection")
      run[str(i)] = dict(ranking)
      relevance[str(i)] = search.collection.relevance[search.id]
    result = measures.judge(run, relevance, list(run))
    scores = [values[_MAIN] for values in result.queries.values()]
    return base.Judged(result.metrics, scores)

  def measure(self, scorer, dataset, quick=False) -> base.Measure:
    collection = self.collection(self.place)
    names = records.chosen(collection.judged, self.limit, self.seed)
    queries = {name: collection.queries[name] for name in names}
    texts = {key: each.full_text for key, each in collection.documents.items()}
    runs = {
      "": dense.search(scorer, collection, queries, _DEPTH),
      "bm25_": bm25.BM25(texts).search(queries, _DEPTH),
    }
    metrics, judged = {}, {}
    for prefix, run in runs.items():
      judged[prefix] = measures.judge(run, collection.relevance, names)
      for name, value in judged[prefix].metrics.items():
        metrics[f"{self.name}/{prefix}{name}"] = value
    scores = [judged[""].queries[name][_MAIN] for name in names]
    predictions = [
      {
        "task": self.name,
        "id": name,
        "score": score,
        "query": queries[name],
        "predicted": dict(itertools.islice(runs[""][name].items(), _SHOWN)),
        "bm25_score": judged["bm25_"].queries[name][_MAIN],
      }
      for name, score in zip(names, scores, strict=True)
    ]
    main = f"{self.name}/{_MAIN}"
    return base.Measure(metrics, {main: scores}, predictions, "embeddings")
