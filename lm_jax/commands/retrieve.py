"""Finds documents for queries, and answers in them."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from lm_jax.config import phases
from lm_jax.examples import collection as collection_lib
from lm_jax.examples.collection import Collection
from lm_jax.inference import load
from lm_jax.inference import score as score_lib
from lm_jax.report import metrics as metrics_lib
from lm_jax.retrieval import bm25, dense, measures, ranking, trec
from lm_jax.retrieval import index as index_lib
from lm_jax.retrieval import queries as queries_lib
from lm_jax.retrieval.encoder import GROUP, Encoder, Encoding
from lm_jax.retrieval.measures import DEFAULT as DEFAULT_MEASURES
from lm_jax.retrieval.ranking import Run
from lm_jax.storage import disk
from lm_jax.storage.log import write_atomically
from lm_jax.support import cache, monospace
from lm_jax.support.errors import UsageError
from lm_jax.support.options import names_given, option

if TYPE_CHECKING:
  from lm_jax.apps.answering.base import Answer

# Documents that are kept where rankings are judged or written, and shown.
_DEEP, _SHOWN = 100, 10
_SNIPPET = 100  # characters
_READER = "reader"


@dataclasses.dataclass(frozen=True)
class Flags(Encoding):
  """The collection, the queries, the method, and what is printed."""

  collection: str = option(
    "",
    "what is searched: a BEIR directory, or PREFIX of PREFIX_docs.jsonl",
    needed="a BEIR directory, or PREFIX of PREFIX_docs.jsonl",
  )
  model: str = option("", "a run directory, or a Hugging Face directory")
  as_: str = option("", phases.AS)
  method: Literal["", "dense", "bm25", "hybrid"] = option(
    "",
    "by the model's embeddings, by BM25, or both fused by reciprocal ranks; by"
    " default dense with a model and bm25 without",
  )
  query: tuple[str, ...] = option(
    (), "what is searched for; may be given several times", repeat=True
  )
  queries: str = option(
    "",
    "a file of queries: lines, or JSONL with text and perhaps an id;"
    " without --query and --queries those of the collection, which are judged",
  )
  split: Literal["train", "dev", "test"] = option(
    "test", "whose queries are judged, of a BEIR directory"
  )
  top_k: int = option(
    0,
    "documents for each query; 0: 10 where they are shown, and 100 where they"
    " are judged or written",
    least=0,
  )
  run: str = option(
    "", "write the rankings to this file, in the format of TREC"
  )
  judge: str = option(
    "", "a file of rankings in the format of TREC, judged instead of a search"
  )
  measures: tuple[str, ...] = option(
    DEFAULT_MEASURES, "of ir-measures: nDCG@10, RR@10, R@100, AP, P@5, ..."
  )
  index: str = option(
    "",
    "a directory in which the index of the model's embeddings is kept; by"
    " default one in the cache",
    group=GROUP,
  )
  index_type: str = option(
    index_lib.EXACT,
    "as FAISS names it: Flat is exact; HNSW32,Flat and IVF1024,Flat are fast"
    " in large collections, and approximate",
    group=GROUP,
  )
  effort: int = option(
    0,
    "of an approximate index: clusters, or candidates, that are looked at; 0:"
    " as FAISS has it",
    least=0,
    group=GROUP,
  )
  k1: float = option(
    bm25.K1,
    "of BM25: how soon a repeated word adds nothing",
    least=0,
    group="bm25",
  )
  b: float = option(
    bm25.B,
    "of BM25: how much a document's length counts",
    least=0,
    most=1,
    group="bm25",
  )
  reader: str = option(
    "",
    "a model that answers from the documents found: fine-tuned by extract, or"
    " one that writes",
    group=_READER,
  )
  reader_template: str = option(
    "answer",
    "of a reader that writes: what it is asked (`list templates`)",
    group=_READER,
  )
  passages: int = option(
    5, "documents that a reader gets", least=1, group=_READER
  )
  format: Literal["text", "jsonl", "trec"] = option(
    "text", "of what is printed"
  )
  given: frozenset[str] = names_given()


def main(flags: Flags) -> int:
  """Searches as flags ask; returns the exit code."""
  if not flags.method:
    method: Any = "dense" if flags.model else "bm25"
    flags = dataclasses.replace(flags, method=method)
  _check(flags)
  where = f"--collection={flags.collection}"
  collection = collection_lib.read(flags.collection, where, flags.split)
  if flags.judge:
    run = trec.read(pathlib.Path(flags.judge))
    _require_known(run, collection, f"--judge={flags.judge}")
    _print_judged({flags.judge: run}, collection, flags)
    return 0
  asks = queries_lib.read(flags.query, flags.queries, collection, where)
  deep = asks.from_collection or flags.run or flags.format == "trec"
  top_k = flags.top_k or (_DEEP if deep else _SHOWN)
  runs = search(flags, collection, asks.texts, max(top_k, flags.passages))
  run = {
    query: dict(list(hits.items())[:top_k])
    for query, hits in runs[flags.method].items()
  }
  if flags.run:
    with disk.disk_errors_as_usage(f"--run={flags.run}"):
      write_atomically(flags.run, trec.content(run, flags.method))
  if flags.format == "trec":
    for line in trec.lines(run, flags.method):
      print(line)
    return 0
  if flags.reader:
    answers = _answers(flags, collection, asks.texts, runs[flags.method])
    for line in _answered(answers, collection, asks, flags.format):
      print(line)
  elif flags.format == "jsonl" or not asks.from_collection:
    for line in _shown(run, collection, asks.texts, flags.format):
      print(line, flush=True)
  if asks.from_collection and flags.format == "text" and not flags.reader:
    _print_judged(runs, collection, flags)
  return 0


def _check(flags: Flags) -> None:
  """Raises UsageError where flags contradict each other."""
  if flags.method != "bm25" and not flags.model and not flags.judge:
    raise UsageError(f"--method={flags.method}: needs --model")
  if flags.model and flags.method == "bm25":
    raise UsageError(f"--model={flags.model}: --method=bm25 takes none")
  if flags.judge:
    for name in ("model", "query", "queries", "run", "reader"):
      if name in flags.given:
        raise UsageError(f"--{name}: does not go with --judge")
  if flags.format == "trec" and flags.reader:
    raise UsageError("--format=trec: holds no answers of a --reader")
  if flags.run:
    trec.require_new(pathlib.Path(flags.run), "--run")
  measures.parse(flags.measures)


def search(
  flags: Flags, found: Collection, texts: Mapping[str, str], k: int
) -> dict[str, Run]:
  """The rankings of the method, and those that it is made of, by name."""
  runs: dict[str, Run] = {}
  if flags.method != "bm25":
    runs["dense"] = _dense(flags, found, texts, k)
  if flags.method != "dense":
    documents = {name: each.full_text for name, each in found.documents.items()}
    runs["bm25"] = bm25.BM25(documents, flags.k1, flags.b).search(texts, k)
  if flags.method == "hybrid":
    runs["hybrid"] = ranking.fuse_runs([runs["dense"], runs["bm25"]], k)
  return runs


def _dense(
  flags: Flags, found: Collection, texts: Mapping[str, str], k: int
) -> Run:
  from lm_jax.storage import digest

  model = load.load(flags.model, objective=flags.as_)
  encoder = Encoder(score_lib.Scorer(model), flags)
  tokenizer = model.require_tokenizer()
  name = f"{digest.digest(model.params)[:16]} {tokenizer.fingerprint}"
  facts = dense.describe_index(encoder, found, name, flags.index_type)
  path = pathlib.Path(flags.index).expanduser()
  if not flags.index:
    path = cache.root() / "indices" / cache.key(facts)
  index = dense.load_or_build(encoder, found, facts, path)
  vectors_QxD = encoder.queries(list(texts.values()))
  return index.search(vectors_QxD, list(texts), k, flags.effort)


def _answers(
  flags: Flags, found: Collection, texts: Mapping[str, str], run: Run
) -> dict[str, Answer]:
  from lm_jax.apps import answering

  model = load.load(flags.reader, "--reader")
  reader = answering.reader(model, flags.reader_template)
  return {
    name: reader.answer(
      texts[name],
      [found.documents[x] for x in list(hits)[: flags.passages]],
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
  runs: Mapping[str, Run], found: Collection, flags: Flags
) -> None:
  """A table: a line for each run, a column for each measure."""
  width = max(map(monospace.width, (*runs, "method")))
  names = [
    f"{name}, %" if metrics_lib.share(name, 0.0) else name
    for name in flags.measures
  ]
  sizes = [max(len(name), 6) for name in names]
  heads = zip(names, sizes, strict=True)
  print(f"{'method':{width}}  " + "  ".join(f"{n:>{s}}" for n, s in heads))
  for name, run in runs.items():
    judged = measures.judge(
      run, found.relevance, found.judged, flags.measures
    ).metrics
    cells = [
      metrics_lib.number(value, metrics_lib.share(measure, value))
      for measure, value in judged.items()
    ]
    columns = zip(cells, sizes, strict=True)
    print(
      f"{monospace.left(name, width)}  "
      + "  ".join(f"{x:>{s}}" for x, s in columns)
    )


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
