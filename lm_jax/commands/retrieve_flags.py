"""What may be asked of `launch.py retrieve`."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from lm_jax.retrieval import bm25, trec
from lm_jax.retrieval import index as index_lib
from lm_jax.retrieval import measures as measures_lib
from lm_jax.support.errors import UsageError
from lm_jax.support.options import Option, option, options


@dataclasses.dataclass(frozen=True)
class Asked:
  """The flags."""

  collection: str = option(
    "", "what is searched: a BEIR directory, or PREFIX of PREFIX_docs.jsonl"
  )
  model: str = option("", "a run directory, or a Hugging Face directory")
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
  )
  run: str = option("", "a file to be: the rankings, in the format of TREC")
  judge: str = option(
    "", "a file of rankings in the format of TREC, judged in place of a search"
  )
  measures: tuple[str, ...] = option(
    measures_lib.DEFAULT, "of ir-measures: nDCG@10, RR@10, R@100, AP, P@5, ..."
  )
  index: str = option(
    "",
    "a directory in which the index of the model's embeddings is kept; by"
    " default one in the cache",
  )
  index_type: str = option(
    index_lib.EXACT,
    "as FAISS names it: Flat is exact; HNSW32,Flat and IVF1024,Flat are fast"
    " in large collections, and approximate",
  )
  effort: int = option(
    0,
    "of an approximate index: clusters, or candidates, that are looked at; 0:"
    " as FAISS has it",
  )
  pool: Literal["", "mean", "first", "last"] = option(
    "", "what of a text's states is its vector; by default the model's own"
  )
  similarity: Literal["", "cosine", "dot"] = option(
    "", "of two vectors; by default the model's own, or cosine"
  )
  length: int = option(
    0, "tokens of a text that the model reads; 0: as many as it can"
  )
  query_prefix: str = option(
    "", "what stands before a query, where the model was trained so"
  )
  document_prefix: str = option("", "and before a document")
  k1: float = option(bm25.K1, "of BM25: how soon a repeated word adds nothing")
  b: float = option(bm25.B, "of BM25: how much a document's length counts")
  reader: str = option(
    "",
    "a model that answers from the documents found: fine-tuned by extract, or"
    " one that writes",
  )
  reader_template: str = option(
    "answer", "of a reader that writes: what it is asked (`list templates`)"
  )
  passages: int = option(5, "documents that a reader gets")
  format: Literal["text", "jsonl", "trec"] = option(
    "text", "of what is printed"
  )


def schema() -> dict[str, Option]:
  """The flags by path."""
  return options(Asked)


def read(given: Mapping[str, Sequence[str]]) -> Asked:
  """Flags as they were given, or UsageError."""
  known = schema()
  values: dict[str, Any] = {
    path: tuple(texts) if known[path].repeat else known[path].parse(texts[-1])
    for path, texts in given.items()
  }
  asked = Asked(**values)
  if not asked.collection:
    raise UsageError(
      "--collection: needed, a BEIR directory, or PREFIX of PREFIX_docs.jsonl"
    )
  if not asked.method:
    asked = dataclasses.replace(
      asked, method="dense" if asked.model else "bm25"
    )
  _check(asked, given)
  return asked


def _check(asked: Asked, given: Mapping[str, Any]) -> None:
  """Raises UsageError where flags contradict each other."""
  if asked.method != "bm25" and not asked.model and not asked.judge:
    raise UsageError(f"--method={asked.method}: needs --model")
  if asked.model and asked.method == "bm25":
    raise UsageError(f"--model={asked.model}: --method=bm25 takes none")
  for name in ("top_k", "length", "effort"):
    if getattr(asked, name) < 0:
      raise UsageError(f"--{name}={getattr(asked, name)}: must be 0 or more")
  if asked.passages < 1:
    raise UsageError(f"--passages={asked.passages}: must be 1 or more")
  if asked.k1 < 0 or not 0 <= asked.b <= 1:
    name, bound = ("k1", "0 or more") if asked.k1 < 0 else ("b", "0 to 1")
    raise UsageError(f"--{name}={getattr(asked, name):g}: must be {bound}")
  if asked.judge:
    for name in ("model", "query", "queries", "run", "reader"):
      if name in given:
        raise UsageError(f"--{name}: does not go with --judge")
  if asked.format == "trec" and asked.reader:
    raise UsageError("--format=trec: holds no answers of a --reader")
  if asked.run:
    trec.require_new(pathlib.Path(asked.run), "--run")
  measures_lib.parse(asked.measures)
