"""Reads collections: documents, queries and relevance judgements.

There are two forms: a directory in BEIR's layout (corpus.jsonl, queries.jsonl,
qrels/SPLIT.tsv), and PREFIX_docs.jsonl, PREFIX_queries.jsonl and
PREFIX_qrels.jsonl (in a directory also without a prefix); any of these files
may be gzipped.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from lm_jax.data import lines
from lm_jax.examples import labelled
from lm_jax.support.errors import UsageError, short

# BEIR's names of splits, by lm_jax's names.
_BEIR_SPLITS = {"train": "train", "dev": "dev", "test": "test"}
_TSV_HEADER = ["query-id", "corpus-id", "score"]


@dataclasses.dataclass(frozen=True)
class Document:
  """A text that can be retrieved; the title may be ""."""

  id: str
  title: str
  text: str

  @property
  def full_text(self) -> str:
    """Title and text, as they are searched; no title twice."""
    if self.title and self._opens_with_title():
      return self.text
    return f"{self.title} {self.text}".strip()

  @property
  def body(self) -> str:
    """The text after the title."""
    text = self.text
    if self.title and self._opens_with_title():
      text = text[len(self.title) :]
    return text.strip()

  def _opens_with_title(self) -> bool:
    return self.text.casefold().startswith(self.title.casefold())


@dataclasses.dataclass(frozen=True)
class Collection:
  """Documents to search, queries, and judgements of relevance.

  name: the last part of its path.
  documents: by id, in the order of the file.
  queries: texts by id, in the order of the file; those of all splits.
  relevance: grades of the judged documents, by ids of query and document, for
    the queries of the split: above 0 is relevant, higher is better. {} without
    judgements.
  """

  name: str
  documents: Mapping[str, Document]
  queries: Mapping[str, str]
  relevance: Mapping[str, Mapping[str, int]]

  @functools.cached_property
  def fingerprint(self) -> str:
    """A hash that is equal for equal documents in equal order."""
    digest = hashlib.sha256()
    for document in self.documents.values():
      fields = [document.id, document.title, document.text]
      digest.update(json.dumps(fields).encode() + b"\n")
    return digest.hexdigest()[:16]

  @property
  def judged(self) -> list[str]:
    """Ids of the queries with a relevant document, in their order."""
    return [
      query
      for query in self.queries
      if any(grade > 0 for grade in self.relevance.get(query, {}).values())
    ]

  def relevant(self, query: str) -> list[Document]:
    """Returns the documents that are relevant to a query, given its id."""
    grades = self.relevance.get(query, {})
    return [self.documents[name] for name, grade in grades.items() if grade > 0]


def read(place: str, where: str, split: str = labelled.TEST) -> Collection:
  """Reads a collection from local files.

  Args:
    place: a directory, or the prefix of the names of the files.
    where: names it in messages, such as "--collection=PATH".
    split: the split whose judgements are read from a directory in BEIR's
      layout; the other form has one file for all splits.

  Raises:
    UsageError: a file is missing, or a line is not valid (with its number).
  """
  base = pathlib.Path(place).expanduser()
  if base.is_dir() and _existing(base / "corpus.jsonl"):
    return _beir(base, where, split)
  stem = f"{base}/" if base.is_dir() else f"{base}_"
  documents = _documents(_need(f"{stem}docs.jsonl", where), "id")
  queries = _queries(_need(f"{stem}queries.jsonl", where), "id")
  relevance: dict[str, dict[str, int]] = {}
  qrels = _existing(pathlib.Path(f"{stem}qrels.jsonl"))
  if qrels is not None:
    triples = _jsonl_triples(qrels)
    relevance = _relevance(triples, documents, queries)
    _require(relevance, qrels, "judgements")
  return Collection(base.name, documents, queries, relevance)


def splits(place: str) -> list[str]:
  """Lists the splits with separate judgements; [] where one file has all."""
  base = pathlib.Path(place).expanduser()
  names = _BEIR_SPLITS.items()
  return [
    split for split, name in names if _existing(base / "qrels" / f"{name}.tsv")
  ]


def from_texts(name: str, texts: Mapping[str, str]) -> Collection:
  """Makes a collection of documents without titles, by id; no queries."""
  documents = {key: Document(key, "", text) for key, text in texts.items()}
  return Collection(name, documents, {}, {})


def _beir(base: pathlib.Path, where: str, split: str) -> Collection:
  documents = _documents(_need(f"{base}/corpus.jsonl", where), "_id")
  queries = _queries(_need(f"{base}/queries.jsonl", where), "_id")
  relevance: dict[str, dict[str, int]] = {}
  if (base / "qrels").is_dir():
    name = f"{base}/qrels/{_BEIR_SPLITS[split]}.tsv"
    path = _need(name, where)
    relevance = _relevance(_tsv_triples(path), documents, queries)
    _require(relevance, path, "judgements")
  return Collection(base.name, documents, queries, relevance)


def _existing(path: pathlib.Path) -> pathlib.Path | None:
  """Returns the file, or its gzipped form; None where neither exists."""
  for name in (path, path.with_name(path.name + ".gz")):
    if name.is_file():
      return name
  return None


def _need(name: str, where: str) -> pathlib.Path:
  existing = _existing(pathlib.Path(name))
  if existing is None:
    raise UsageError(f"{where}: no such file; tried {name}, {name}.gz")
  return existing


def _require(items: Any, path: pathlib.Path, what: str) -> None:
  if not items:
    raise UsageError(f"{path}: has no {what}")


def records(path: pathlib.Path) -> Iterator[tuple[str, labelled.Record]]:
  """Yields the objects of a JSONL file, each with its place for messages."""
  for number, line in enumerate(lines.raw(path), start=1):
    if line.strip():
      where = f"{path}, line {number}"
      yield where, labelled.record(line, where)


def text_of(record: labelled.Record, field: str, where: str) -> str:
  """Returns a required field of text (or a number, as ids may be)."""
  if field not in record:
    held = ", ".join(short(name) for name in sorted(record)[:20])
    raise UsageError(
      f"{where}: no field {field!r}; it has {held or 'no fields'}"
    )
  value = record[field]
  if isinstance(value, bool) or not isinstance(value, str | int):
    raise UsageError(f"{where}: field {field}={short(value)}: must be text")
  return str(value)


def _new_id(
  record: labelled.Record, field: str, known: Mapping[str, Any], where: str
) -> str:
  """Returns an id that is new and that a line of a run file can hold."""
  name = text_of(record, field, where)
  if name in known:
    raise UsageError(f"{where}: field {field}={short(name)}: is there twice")
  if not lines.is_word(name):
    raise UsageError(f"{where}: field {field}={short(name)}: must be one word")
  return name


def _documents(path: pathlib.Path, id_field: str) -> dict[str, Document]:
  facts = path.stat()
  return _cached_documents(path, id_field, facts.st_size, facts.st_mtime_ns)


# The splits of a large collection share its documents.
@functools.lru_cache(maxsize=1)
def _cached_documents(
  path: pathlib.Path, id_field: str, size: int, changed: int
) -> dict[str, Document]:
  del size, changed  # Another file of that name is read again.
  documents: dict[str, Document] = {}
  for where, record in records(path):
    name = _new_id(record, id_field, documents, where)
    title = text_of({"title": ""} | record, "title", where)
    documents[name] = Document(name, title, text_of(record, "text", where))
  _require(documents, path, "documents")
  return documents


def _queries(path: pathlib.Path, id_field: str) -> dict[str, str]:
  queries: dict[str, str] = {}
  for where, record in records(path):
    name = _new_id(record, id_field, queries, where)
    queries[name] = text_of(record, "text", where)
  _require(queries, path, "queries")
  return queries


# The place for messages, the query's id, the document's id, and the grade.
_Triple = tuple[str, str, str, Any]


def _jsonl_triples(path: pathlib.Path) -> Iterator[_Triple]:
  for where, record in records(path):
    query, document = (text_of(record, x, where) for x in ("query", "doc"))
    yield where, query, document, record.get("rel", 1)


def _tsv_triples(path: pathlib.Path) -> Iterator[_Triple]:
  for number, (where, line) in enumerate(lines.texts(path), start=1):
    cells = line.split("\t")
    if (number == 1 and cells == _TSV_HEADER) or cells == [""]:
      continue
    if len(cells) != 3:
      raise UsageError(
        f"{where}: has {len(cells)} fields; must be query, document and grade"
        " with tabs between"
      )
    query, document, grade = cells
    yield where, query, document, grade


def _relevance(
  triples: Iterator[_Triple],
  documents: Mapping[str, Any],
  queries: Mapping[str, Any],
) -> dict[str, dict[str, int]]:
  """Collects grades by query and document.

  Raises:
    UsageError: an unknown query or document, or two grades for one pair.
  """
  relevance: dict[str, dict[str, int]] = {}
  for where, query, document, value in triples:
    if query not in queries:
      raise UsageError(f"{where}: query {short(query)}: is not in the queries")
    if document not in documents:
      raise UsageError(
        f"{where}: document {short(document)}: is not in the documents"
      )
    try:
      grade = int(value)
    except (TypeError, ValueError):
      grade = None
    if grade is None or isinstance(value, bool | float):
      raise UsageError(f"{where}: grade {short(value)}: must be a whole number")
    grades = relevance.setdefault(query, {})
    if grades.setdefault(document, grade) != grade:
      raise UsageError(
        f"{where}: query {short(query)}, document {short(document)}: graded"
        f" {grades[document]} before, and now {grade}"
      )
  return relevance
