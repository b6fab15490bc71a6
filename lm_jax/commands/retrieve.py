"""`python launch.py retrieve`: documents for queries, and answers from them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from lm_jax.commands.retrieve_flags import Asked, read
from lm_jax.commands.retrieve_flags import schema as schema
from lm_jax.examples import collection as collection_lib
from lm_jax.examples.collection import Collection
from lm_jax.inference import load
from lm_jax.inference import score as score_lib
from lm_jax.report import metrics as metrics_lib
from lm_jax.retrieval import bm25, dense, measures, ranking, trec
from lm_jax.retrieval import queries as queries_lib
from lm_jax.retrieval.encoder import Encoder, Encoding
from lm_jax.retrieval.ranking import Run
from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support import cache
from lm_jax.support.errors import UsageError

if TYPE_CHECKING:
  from lm_jax.apps.answering.base import Answer

# Documents that are kept where rankings are judged or written, and shown.
_DEEP, _SHOWN = 100, 10
_SNIPPET = 100  # characters


def main(given: Mapping[str, Sequence[str]]) -> int:
  """Searches as flags ask; returns the exit code."""
  asked = read(given)
  where = f"--collection={asked.collection}"
  found = collection_lib.read(asked.collection, where, asked.split)
  if asked.judge:
    run = trec.read(pathlib.Path(asked.judge))
    _require_known(run, found, f"--judge={asked.judge}")
    _print_judged({asked.judge: run}, found, asked)
    return 0
  asks = queries_lib.read(asked.query, asked.queries, found, where)
  deep = asks.from_collection or asked.run or asked.format == "trec"
  top_k = asked.top_k or (_DEEP if deep else _SHOWN)
  runs = search(asked, found, asks.texts, max(top_k, asked.passages))
  run = {
    query: dict(list(hits.items())[:top_k])
    for query, hits in runs[asked.method].items()
  }
  if asked.run:
    with disk.disk_errors_as_usage(f"--run={asked.run}"):
      write_atomically(asked.run, trec.content(run, asked.method))
  if asked.format == "trec":
    for line in trec.lines(run, asked.method):
      print(line)
    return 0
  if asked.reader:
    answers = _answers(asked, found, asks.texts, runs[asked.method])
    for line in _answered(answers, found, asks, asked.format):
      print(line)
  elif asked.format == "jsonl" or not asks.from_collection:
    for line in _shown(run, found, asks.texts, asked.format):
      print(line, flush=True)
  if asks.from_collection and asked.format == "text" and not asked.reader:
    _print_judged(runs, found, asked)
  return 0


def search(
  asked: Asked, found: Collection, texts: Mapping[str, str], k: int
) -> dict[str, Run]:
  """The rankings of the method, and those that it is made of, by name."""
  runs: dict[str, Run] = {}
  if asked.method != "bm25":
    runs["dense"] = _dense(asked, found, texts, k)
  if asked.method != "dense":
    documents = {name: each.full_text for name, each in found.documents.items()}
    runs["bm25"] = bm25.BM25(documents, asked.k1, asked.b).search(texts, k)
  if asked.method == "hybrid":
    runs["hybrid"] = ranking.fuse_runs([runs["dense"], runs["bm25"]], k)
  return runs


def _dense(
  asked: Asked, found: Collection, texts: Mapping[str, str], k: int
) -> Run:
  from lm_jax.storage import digest

  model = load.load(asked.model)
  if model.tokenizer is None:
    raise UsageError(
      f"--model={asked.model}: the model has no tokenizer files beside it"
    )
  encoding = Encoding(
    asked.pool,
    asked.similarity,
    asked.length,
    asked.query_prefix,
    asked.document_prefix,
  )
  encoder = Encoder(score_lib.scorer(model), encoding)
  name = f"{digest.digest(model.params)[:16]} {model.tokenizer.fingerprint}"
  facts = dense.describe_index(encoder, found, name, asked.index_type)
  path = pathlib.Path(asked.index).expanduser()
  if not asked.index:
    path = cache.root() / "indices" / cache.key(facts)
  held = dense.load_or_build(encoder, found, name, path, asked.index_type)
  vectors_QxD = encoder.queries(list(texts.values()))
  return held.search(vectors_QxD, list(texts), k, asked.effort)


def _answers(
  asked: Asked, found: Collection, texts: Mapping[str, str], run: Run
) -> dict[str, Answer]:
  from lm_jax.apps import answering

  model = load.load(asked.reader, "--reader")
  what = f"--reader={asked.reader}"
  reader = answering.reader(model, what, asked.reader_template)
  return {
    name: reader.answer(
      texts[name],
      [found.documents[x] for x in list(hits)[: asked.passages]],
    )
    for name, hits in run.items()
  }


def _require_known(run: Run, found: Collection, where: str) -> None:
  for query, hits in run.items():
    if query not in found.queries:
      raise UsageError(f"{where}: query {query}: is not in the collection")
    for document in hits:
      if document not in found.documents:
        raise UsageError(
          f"{where}: document {document}: is not in the collection"
        )


def _print_judged(
  runs: Mapping[str, Run], found: Collection, asked: Asked
) -> None:
  """A table: a line for each run, a column for each measure."""
  width = max(len(name) for name in (*runs, "method"))
  names = [
    f"{name}, %" if metrics_lib.share(name, 0.0) else name
    for name in asked.measures
  ]
  sizes = [max(len(name), 6) for name in names]
  heads = zip(names, sizes, strict=True)
  print(f"{'method':{width}}  " + "  ".join(f"{n:>{s}}" for n, s in heads))
  for name, run in runs.items():
    judged = measures.judge(
      run, found.relevance, found.judged, asked.measures
    ).metrics
    cells = [
      metrics_lib.number(value, metrics_lib.share(measure, value))
      for measure, value in judged.items()
    ]
    columns = zip(cells, sizes, strict=True)
    print(f"{name:{width}}  " + "  ".join(f"{x:>{s}}" for x, s in columns))


def _shown(
  run: Run, found: Collection, texts: Mapping[str, str], form: str
) -> Iterator[str]:
  for name, hits in run.items():
    if form == "jsonl":
      yield json.dumps(
        {"id": name, "query": texts[name], "documents": hits},
        ensure_ascii=False,
      )
      continue
    yield f"{name}: {texts[name]}"
    for rank, (key, score) in enumerate(hits.items(), start=1):
      document = found.documents[key]
      text = " ".join((document.title or document.text).split())
      yield f"{rank:4}  {score:8.4f}  {key}  {text[:_SNIPPET]}"


def _answered(
  answers: Mapping[str, Answer],
  found: Collection,
  asks: queries_lib.Queries,
  form: str,
) -> Iterator[str]:
  for name, answer in answers.items():
    if form == "jsonl":
      fields = {"id": name, "query": asks.texts[name], **answer._asdict()}
      yield json.dumps(fields, ensure_ascii=False)
      continue
    source = f"  [{answer.document}]" if answer.document else ""
    yield f"{name}: {asks.texts[name]}\n      {answer.text}{source}"
