"""Builds indices of embeddings with FAISS, in memory and on disk.

On disk an index is a directory: index.faiss, and index.json with the sources of
the index and the file's hash, so that an index of another model or of other
documents, or a damaged one, is never used.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.retrieval.ranking import Ranking, Run
from lm_jax.support import cache, optional
from lm_jax.support.errors import UsageError, short
from lm_jax.support.typed_json import read_as

EXACT = "Flat"
_VECTORS, _FACTS = "index.faiss", "index.json"
# Most training vectors per cluster of an inverted file.
_FOR_CLUSTER = 256


class Index:
  """Vectors of documents, searched by the largest dot product.

  Args:
    index: of faiss.
    ids: of the documents, in the order of the vectors.
  """

  def __init__(self, index: Any, ids: Sequence[str]):
    self._index = index
    self._ids = ids
    if index.ntotal != len(ids):
      raise UsageError(
        f"an index of {index.ntotal} vectors is not of {len(ids)} documents"
      )

  def search(
    self, queries_QxD: np.ndarray, names: Sequence[str], k: int, effort: int = 0
  ) -> Run:
    """Ranks the best documents for each query, with their dot products.

    Args:
      queries_QxD: float32.
      names: ids of the queries.
      k: most documents.
      effort: of an approximate index: number of clusters of an inverted file,
        or of candidates of an HNSW graph, to look at; 0: FAISS's default.
    """
    if effort:
      set_effort(self._index, effort)
    k = min(k, len(self._ids))
    scores_QxK, number_QxK = self._index.search(queries_QxD, k)
    return {
      name: self._ranking(scores_K, number_K)
      for name, scores_K, number_K in zip(
        names, scores_QxK, number_QxK, strict=True
      )
    }

  def _ranking(self, scores_K: np.ndarray, number_K: np.ndarray) -> Ranking:
    # An approximate index that has too few results gives -1. Of equal scores
    # the first document comes first, for any order of threads.
    kept = [(s, i) for s, i in zip(scores_K, number_K, strict=True) if i >= 0]
    kept.sort(key=lambda pair: (-pair[0], pair[1]))
    return {self._ids[i]: float(score) for score, i in kept}


def build(
  chunks: Iterable[np.ndarray], ids: Sequence[str], factory: str = EXACT
) -> Index:
  """Builds an index of vectors.

  Args:
    chunks: float32 [n, D], in the order of `ids`.
    ids: of the documents.
    factory: FAISS's string: "Flat" compares with every vector; "IVF1024,Flat",
      "HNSW32,Flat", "IVF4096,PQ64" and such are faster and approximate.

  Raises:
    UsageError: FAISS does not know such an index, or it needs more vectors.
  """
  faiss = optional.need("faiss", "an index")
  index, waiting = None, []
  for vectors_NxD in chunks:
    if index is None:
      index = _new(faiss, factory, vectors_NxD.shape[1])
      wanted = min(len(ids), _training_size(faiss, index, len(ids)))
    waiting.append(vectors_NxD)
    if not index.is_trained:
      if sum(map(len, waiting)) < wanted:
        continue
      _train(index, np.concatenate(waiting), factory)
    for chunk in waiting:
      index.add(chunk)
    waiting = []
  if index is None:
    raise UsageError("an index of no documents")
  return Index(index, ids)


def save(index: Index, path: pathlib.Path, facts: Mapping[str, Any]) -> None:
  """Writes an index, completely or not at all; does nothing if it exists.

  Args:
    facts: its sources, as JSON; `load` needs the same.
  """
  faiss = optional.need("faiss", "an index")

  def write(folder: pathlib.Path) -> None:
    faiss.write_index(index._index, str(folder / _VECTORS))
    held = dict(facts) | {"sha256": _hash(folder / _VECTORS)}
    text = json.dumps(held, indent=2, ensure_ascii=False) + "\n"
    (folder / _FACTS).write_text(text, encoding="utf-8")

  cache.prepared(path, write)


def load(
  path: pathlib.Path, facts: Mapping[str, Any], ids: Sequence[str]
) -> Index:
  """Loads an index from disk.

  Args:
    facts: its expected sources.

  Raises:
    UsageError: it was made from something else, which is named, or is damaged.
  """
  faiss = optional.need("faiss", "an index")
  where = f"--index={path}"
  held = read_as(path / _FACTS, dict, f"{where}: {_FACTS}")
  for name, value in facts.items():
    if held.get(name) != value:
      raise UsageError(
        f"{where}: was made with {name}={short(held.get(name))}, and this is"
        f" {name}={short(value)}; remove it or name another directory"
      )
  file = path / _VECTORS
  if not file.is_file() or held.get("sha256") != _hash(file):
    raise UsageError(f"{where}: {_VECTORS} is damaged; remove the directory")
  return Index(faiss.read_index(str(file)), ids)


def set_effort(index: Any, effort: int) -> None:
  """Sets how much of an approximate index to look at; see `Index.search`.

  Raises:
    UsageError: the index is exact.
  """
  faiss = optional.need("faiss", "an index")
  for name in ("nprobe", "efSearch"):
    try:
      faiss.ParameterSpace().set_index_parameter(index, name, effort)
      return
    except RuntimeError:
      continue
  raise UsageError(f"--effort={effort}: is for approximate indices (IVF, HNSW)")


def _new(faiss: Any, factory: str, width: int) -> Any:
  try:
    return faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
  except RuntimeError as error:
    reason = str(error).strip().rpartition("\n")[2].rpartition(": ")[2]
    raise UsageError(
      f"--index_type={factory}: FAISS makes no such index of vectors of"
      f" {width}: {reason}; valid are Flat, HNSW32,Flat, IVF1024,Flat, ..."
    ) from None


def _training_size(faiss: Any, index: Any, count: int) -> int:
  """Number of vectors to learn clusters from; all for a small index."""
  if index.is_trained:
    return 0
  try:
    clusters = faiss.extract_index_ivf(index).nlist
  except RuntimeError:
    return count
  return max(_FOR_CLUSTER * clusters, 100 * _FOR_CLUSTER)


def _train(index: Any, vectors_NxD: np.ndarray, factory: str) -> None:
  try:
    index.train(vectors_NxD)
  except RuntimeError as error:
    reason = str(error).strip().rpartition("\n")[2]
    raise UsageError(
      f"--index_type={factory}: {len(vectors_NxD)} documents are too few:"
      f" {reason}"
    ) from None


def _hash(path: pathlib.Path) -> str:
  with path.open("rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()
