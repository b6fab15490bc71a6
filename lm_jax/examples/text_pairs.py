"""Reads pairs of texts: summaries, replies in dialogues, and triples."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from lm_jax.data import lines
from lm_jax.examples import files, semeval
from lm_jax.examples.files import Record
from lm_jax.examples.forms import Rewriting
from lm_jax.support import errors
from lm_jax.support.errors import UsageError, short

DOCUMENT = ("document", "article", "dialogue", "source", "text")
SUMMARY = ("summaries", "summary", "highlights", "target")
# The mark that ends an utterance in DailyDialog's own file.
END_OF_UTTERANCE = "__eou__"
# Separators in texts: between the parts of a triple, and between triples.
PART, NEXT, NO_TRIPLES = " | ", " ; ", "none"

Triple = tuple[str, str, str]


def summaries(path: pathlib.Path) -> Iterator[Rewriting]:
  """Reads JSONL or a JSON list of objects: documents with summaries.

  Raises:
    UsageError: a record is not valid; the message has its place.
  """
  is_list = files.has_suffix(path, ".json")
  source = _listed(path) if is_list else files.records(path)
  return files.made(source, summary)


def summary(record: Record, name: str) -> Rewriting:
  """Makes a text pair of the document and the summaries of a record.

  A document may be a list of sentences; the summaries are a text, a list of
  texts, or summary1, summary2, ...
  """
  document = files.first_field(record, DOCUMENT)
  document = " ".join(_texts(document, "document"))
  numbered = sorted(
    key for key in record if key.startswith("summary") and key[7:].isdecimal()
  )
  if numbered:
    right: Any = [record[key] for key in numbered]
  else:
    right = files.first_field(record, SUMMARY)
  references = _texts(right, "summary")
  if not references or not all(text.strip() for text in references):
    raise UsageError("has no summary, or an empty one")
  return Rewriting(name, document, references)


def _listed(path: pathlib.Path) -> files.Source:
  """Yields the objects of a file with one JSON list; see `files.records`."""
  value = lines.parsed(lines.content(path), path, whole=True)
  if not isinstance(value, list):
    raise UsageError(f"{path}: must be a list, not {short(value)}")
  for number, one in enumerate(value):
    where = f"{path}, [{number}]"
    record = files.as_record(one, where)
    yield where, str(record.get("id", number)), record


def replies(path: pathlib.Path, language: str) -> Iterator[Rewriting]:
  """Pairs each turn of a dialogue after the first with all turns before it.

  Args:
    path: .jsonl of objects with a list of turns, called "dialog", "turns" or
      by the code of a language; or .txt, one dialogue per line, each turn ended
      by __eou__.
    language: code of the language.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  for number, turns in _dialogues(path, language):
    for i in range(1, len(turns)):
      yield Rewriting(f"{number}.{i}", "\n".join(turns[:i]), (turns[i],))


def _dialogues(
  path: pathlib.Path, language: str
) -> Iterator[tuple[str, Sequence[str]]]:
  if files.has_suffix(path, ".txt"):
    for where, line in lines.texts(path):
      turns = [turn.strip() for turn in line.split(END_OF_UTTERANCE)]
      yield where.rpartition(" ")[2], [turn for turn in turns if turn]
    return
  names = (language, "dialog", "dialogue", "turns", "utterances")
  for where, name, record in files.records(path):
    with errors.about(where):
      listed = files.field(record, *names, kind=list)
      texts = _texts(listed, language)
    yield name, texts


def triples(path: pathlib.Path) -> Iterator[Rewriting]:
  """Pairs texts with the triples that they express, written as one text.

  Args:
    path: .jsonl of {"text", "triples": [[subject, relation, object], ...]};
      or SemEval-2010 task 8 (see lm_jax/examples/semeval.py), whose
      examples have one triple each, or none.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  is_jsonl = files.has_suffix(path, ".jsonl")
  source = files.records(path) if is_jsonl else semeval.records(path)
  return files.made(source, _with_triples)


def _with_triples(record: Record, name: str) -> Rewriting:
  if "triples" not in record and "label" in record:
    semeval.check(str(files.first_field(record, ("text",))))
    return _from_semeval(record, name)
  text = files.field(record, "text", "source")
  stated = [_triple(one) for one in files.field(record, "triples", kind=list)]
  return Rewriting(name, text, (written(stated),))


def _from_semeval(record: Record, name: str) -> Rewriting:
  text = str(record["text"])
  triple = semeval.triple(text, str(record["label"]))
  target = written([triple] if triple else [])
  return Rewriting(name, semeval.plain(text), (target,))


def written(found: Sequence[Triple]) -> str:
  """Writes triples in the form of a model's output: "a | r | b ; c | r | d".

  >>> written([("Rome", "capital of", "Italy")])
  'Rome | capital of | Italy'
  """
  return NEXT.join(PART.join(map(_part, one)) for one in found) or NO_TRIPLES


def parsed(text: str) -> list[Triple]:
  """Parses the triples in the output of a model; skips malformed ones.

  >>> parsed("Rome | capital of | Italy ; Rome | and")
  [('Rome', 'capital of', 'Italy')]
  """
  complete = []
  for one in text.split(NEXT.strip()):
    parts = [" ".join(part.split()) for part in one.split(PART.strip())]
    if len(parts) == 3 and all(parts):
      complete.append((parts[0], parts[1], parts[2]))
  return complete


def _part(text: str) -> str:
  """Writes a part of a triple; separators in it become commas."""
  for mark in (PART, NEXT):
    text = text.replace(mark.strip(), ",")
  return " ".join(text.split())


def _triple(value: Any) -> Triple:
  if isinstance(value, dict):
    names = (("subject", "head"), ("relation", "predicate"), ("object", "tail"))
    value = [files.first_field(value, name) for name in names]
  texts = _texts(value, "triples") if isinstance(value, list) else ()
  if len(texts) != 3 or not all(text.strip() for text in texts):
    raise UsageError(
      f"triple {short(value)}: must be a subject, a relation and an object"
    )
  return texts[0], texts[1], texts[2]


def _texts(value: Any, name: str) -> tuple[str, ...]:
  """Returns a text or a list of texts as a tuple."""
  texts = value if isinstance(value, list) else [value]
  if not all(isinstance(text, str) for text in texts):
    raise UsageError(
      f"field {name}={short(value)}: must be a text, or a list of them"
    )
  return tuple(texts)
