"""Searches a collection by the embeddings of a model."""

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
  """Ranks the best documents for each query, by an exact search.

  Args:
    scorer: the model, lm_jax.inference.score.Scorer.
    queries: texts by id.

  Raises:
    UsageError: FAISS is not installed.
  """
  encoder = Encoder(scorer, encoding)
  index = embed_collection(encoder, collection)
  return index.search(encoder.queries(list(queries.values())), list(queries), k)


def embed_collection(
  encoder: Encoder, collection: Collection, factory: str = index_lib.EXACT
) -> Index:
  """Makes an index of a collection's documents; warns of how many were cut.

  Args:
    factory: see lm_jax.retrieval.index.build.
  """
  texts = [document.full_text for document in collection.documents.values()]
  ids = list(collection.documents)
  index = index_lib.build(encoder.documents(texts), ids, factory)
  if encoder.cut:
    logging.warning(
      "%d of %d documents cut to %d tokens",
      encoder.cut,
      len(ids),
      encoder.longest,
    )
  return index


def load_or_build(
  encoder: Encoder,
  collection: Collection,
  facts: Mapping[str, Any],
  path: pathlib.Path,
) -> Index:
  """Loads an index from disk; builds it first if it is missing.

  Args:
    encoder, collection: of the index.
    facts: of `describe_index`.

  Raises:
    UsageError: the index there was made from something else.
  """
  if not path.exists():
    index = embed_collection(encoder, collection, facts["index_type"])
    index_lib.save(index, path, facts)
  return index_lib.load(path, facts, list(collection.documents))


def describe_index(
  encoder: Encoder,
  collection: Collection,
  model: str,
  factory: str = index_lib.EXACT,
) -> dict[str, Any]:
  """Describes what an index is made from, as JSON.

  Args:
    encoder, collection, factory: of the index.
    model: digest of the model's parameters and tokenizer.
  """
  return {
    "model": model,
    "documents": collection.fingerprint,
    "index_type": factory,
    **encoder.facts,
  }
