"""Reads collections: documents, queries and relevance judgements.

There are two forms: a directory in BEIR's layout (corpus.jsonl, queries.jsonl,
qrels/SPLIT.tsv), and PREFIX_docs.jsonl, PREFIX_queries.jsonl and
PREFIX_qrels.jsonl (in a directory also without a prefix); any of these files
may be gzipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from lm_jax.data import lines
from lm_jax.examples import files
from lm_jax.examples.files import DEV, TEST, TRAIN, Record
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short

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


def read(place: str, where: str, split: str = TEST) -> Collection:
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
  stem = f"{base}/" if base.is_dir() else f"{base}_"

  def need(name: str) -> pathlib.Path:
    return files.need(files.either(f"{stem}{name}"), where)

  qrels: pathlib.Path | None = None
  if base.is_dir() and files.first(files.either(f"{stem}corpus.jsonl")):
    documents = _documents(need("corpus.jsonl"), "_id")
    queries = _queries(need("queries.jsonl"), "_id")
    if (base / "qrels").is_dir():
      qrels = need(f"qrels/{split}.tsv")
    triples = _tsv_triples
  else:
    documents = _documents(need("docs.jsonl"), "id")
    queries = _queries(need("queries.jsonl"), "id")
    qrels = files.first(files.either(f"{stem}qrels.jsonl"))
    triples = _jsonl_triples
  relevance: dict[str, dict[str, int]] = {}
  if qrels is not None:
    relevance = _relevance(triples(qrels), documents, queries)
    _require(relevance, qrels, "judgements")
  return Collection(base.name, documents, queries, relevance)


def splits(place: str) -> list[str]:
  """Lists the splits with separate judgements; [] where one file has all."""
  folder = pathlib.Path(place).expanduser() / "qrels"
  return [
    split
    for split in (TRAIN, DEV, TEST)
    if files.first(files.either(folder / f"{split}.tsv"))
  ]


def from_texts(name: str, texts: Mapping[str, str]) -> Collection:
  """Makes a collection of documents without titles, by id; no queries."""
  documents = {key: Document(key, "", text) for key, text in texts.items()}
  return Collection(name, documents, {}, {})


def _require(items: Any, path: pathlib.Path, what: str) -> None:
  if not items:
    raise UsageError(f"{path}: has no {what}")


def text_of(record: Record, field: str) -> str:
  """Returns a required field of text (or a number, as ids may be)."""
  return str(files.field(record, field, kind=str | int))


def _new_id(record: Record, field: str, known: Mapping[str, Any]) -> str:
  """Returns an id that is new and that a line of a run file can hold."""
  name = text_of(record, field)
  if name in known:
    raise UsageError(f"field {field}={short(name)}: is there twice")
  if not lines.is_word(name):
    raise UsageError(f"field {field}={short(name)}: must be one word")
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
  for where, _, record in files.records(path):
    with errors.about(where):
      name = _new_id(record, id_field, documents)
      title = text_of({"title": ""} | record, "title")
      documents[name] = Document(name, title, text_of(record, "text"))
  _require(documents, path, "documents")
  return documents


def _queries(path: pathlib.Path, id_field: str) -> dict[str, str]:
  queries: dict[str, str] = {}
  for where, _, record in files.records(path):
    with errors.about(where):
      name = _new_id(record, id_field, queries)
      queries[name] = text_of(record, "text")
  _require(queries, path, "queries")
  return queries


# The place for messages, the query's id, the document's id, and the grade.
_Triples = Iterable[tuple[str, str, str, Any]]


def _jsonl_triples(path: pathlib.Path) -> _Triples:
  for where, _, record in files.records(path):
    with errors.about(where):
      query, document = text_of(record, "query"), text_of(record, "doc")
    yield where, query, document, record.get("rel", 1)


def _tsv_triples(path: pathlib.Path) -> _Triples:
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
  triples: _Triples, documents: Mapping[str, Any], queries: Mapping[str, Any]
) -> dict[str, dict[str, int]]:
  """Collects grades by query and document.

  Raises:
    UsageError: an unknown query or document, or two grades for one pair.
  """
  relevance: dict[str, dict[str, int]] = {}
  for where, query, document, value in triples:
    with errors.about(where):
      if query not in queries:
        raise UsageError(f"query {short(query)}: is not in the queries")
      if document not in documents:
        raise UsageError(f"document {short(document)}: is not in the documents")
      grade = _grade(value)
      grades = relevance.setdefault(query, {})
      if grades.setdefault(document, grade) != grade:
        raise UsageError(
          f"query {short(query)}, document {short(document)}: graded"
          f" {grades[document]} before, and now {grade}"
        )
  return relevance


def _grade(value: Any) -> int:
  if not isinstance(value, bool | float):
    with contextlib.suppress(TypeError, ValueError):
      return int(value)
  raise UsageError(f"grade {short(value)}: must be a whole number")
