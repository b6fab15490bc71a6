"""Dense retrieval: a collection is searched by a model's embeddings."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any

from absl import logging

from lm_jax.examples.collection import Collection
from lm_jax.retrieval import index as index_lib
from lm_jax.retrieval.encoder import OWN, Encoder, Encoding
from lm_jax.retrieval.index import Index
from lm_jax.retrieval.ranking import Run


def search(
  scorer: Any,
  collection: Collection,
  queries: Mapping[str, str],
  k: int,
  encoding: Encoding = OWN,
) -> Run:
  """The best documents of each query, by an exact search.

  Args:
    scorer: the model, lm_jax.inference.score.Scorer.
    collection: what is searched.
    queries: texts by id.
    k: documents at most.
    encoding: how texts become vectors.

  Raises:
    UsageError: FAISS is not installed.
  """
  encoder = Encoder(scorer, encoding)
  found = embedded(encoder, collection)
  return found.search(encoder.queries(list(queries.values())), list(queries), k)


def embedded(
  encoder: Encoder, collection: Collection, factory: str = index_lib.EXACT
) -> Index:
  """An index of a collection's documents; warns of how many were cut.

  Args:
    encoder: of the documents.
    collection: has them.
    factory: of lm_jax.retrieval.index.build.
  """
  texts = [document.full_text for document in collection.documents.values()]
  ids = list(collection.documents)
  found = index_lib.build(encoder.documents(texts), len(ids), ids, factory)
  if encoder.cut:
    logging.warning(
      "%d of %d documents cut to %d tokens",
      encoder.cut,
      len(ids),
      encoder.longest,
    )
  return found


def kept(
  encoder: Encoder,
  collection: Collection,
  model: str,
  path: pathlib.Path,
  factory: str = index_lib.EXACT,
) -> Index:
  """An index on disk, made if it is not there.

  Args:
    encoder, collection, factory: of the index.
    model: digest of the model's parameters and tokenizer.
    path: the directory.

  Raises:
    UsageError: there is an index of something else.
  """
  facts = about(encoder, collection, model, factory)
  if not path.exists():
    index_lib.save(embedded(encoder, collection, factory), path, facts)
  return index_lib.load(path, facts, list(collection.documents))


def about(
  encoder: Encoder, collection: Collection, model: str, factory: str
) -> dict[str, Any]:
  """What an index is made of, as JSON."""
  return {
    "model": model,
    "documents": collection.fingerprint,
    "index_type": factory,
    **encoder.facts,
  }
