"""Reads pairs of texts: summaries, replies in dialogues, and triples."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from lm_jax.data import lines
from lm_jax.examples import labelled, semeval, splits
from lm_jax.examples.forms import Rewriting
from lm_jax.examples.labelled import Record
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
  source = listed(path) if _ends(path, ".json") else splits.records(path)
  for where, name, record in source:
    yield summary(record, name, where)


def summary(record: Record, name: str, where: str) -> Rewriting:
  """Makes a text pair of the document and the summaries of a record.

  A document may be a list of sentences; the summaries are a text, a list of
  texts, or summary1, summary2, ...
  """
  document = labelled.first_field(record, DOCUMENT, where)
  document = " ".join(_texts(document, where, "document"))
  numbered = sorted(
    key for key in record if key.startswith("summary") and key[7:].isdecimal()
  )
  if numbered:
    right: Any = [record[key] for key in numbered]
  else:
    right = labelled.first_field(record, SUMMARY, where)
  references = _texts(right, where, "summary")
  if not references or not all(text.strip() for text in references):
    raise UsageError(f"{where}: has no summary, or an empty one")
  return Rewriting(name, document, references)


def listed(path: pathlib.Path) -> Iterator[tuple[str, str, Record]]:
  """Yields the objects of a file with one JSON list; see `splits.records`."""
  value = lines.parsed(lines.content(path), path, whole=True)
  if not isinstance(value, list):
    raise UsageError(f"{path}: must be a list, not {short(value)}")
  for number, record in enumerate(value):
    where = f"{path}, [{number}]"
    if not isinstance(record, dict):
      raise UsageError(f"{where}: must be an object, not {short(record)}")
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
) -> Iterator[tuple[str, tuple[str, ...]]]:
  if _ends(path, ".txt"):
    for where, line in lines.texts(path):
      turns = [turn.strip() for turn in line.split(END_OF_UTTERANCE)]
      yield where.rpartition(" ")[2], tuple(turn for turn in turns if turn)
    return
  names = (language, "dialog", "dialogue", "turns", "utterances")
  for where, name, record in splits.records(path):
    turns = labelled.first_field(record, names, where)
    if not isinstance(turns, list):
      raise UsageError(
        f"{where}: field {language}={short(turns)}: must be a list of turns"
      )
    yield name, _texts(turns, where, language)


def triples(path: pathlib.Path) -> Iterator[Rewriting]:
  """Pairs texts with the triples that they express, written as one text.

  Args:
    path: .jsonl of {"text", "triples": [[subject, relation, object], ...]};
      or SemEval-2010 task 8 (see lm_jax/examples/semeval.py), whose
      examples have one triple each, or none.

  Raises:
    UsageError: a line is not valid; the message has its number.
  """
  if not _ends(path, ".jsonl"):
    for _, name, record in semeval.records(path):
      yield _from_semeval(record, name)
    return
  for where, name, record in splits.records(path):
    if "triples" not in record and "label" in record:
      text = labelled.first_field(record, ("text",), where)
      semeval.check(str(text), where)
      yield _from_semeval(record, name)
      continue
    text = labelled.first_field(record, ("text", "source"), where)
    stated = [
      _triple(one, where)
      for one in _list(labelled.first_field(record, ("triples",), where), where)
    ]
    if not isinstance(text, str):
      raise UsageError(f"{where}: field text={short(text)}: must be text")
    yield Rewriting(name, text, (written(stated),))


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


def _triple(value: Any, where: str) -> Triple:
  if isinstance(value, dict):
    names = (("subject", "head"), ("relation", "predicate"), ("object", "tail"))
    value = [labelled.first_field(value, name, where) for name in names]
  texts = _texts(value, where, "triples") if isinstance(value, list) else ()
  if len(texts) != 3 or not all(text.strip() for text in texts):
    raise UsageError(
      f"{where}: triple {short(value)}: must be a subject, a relation and an"
      " object"
    )
  return texts[0], texts[1], texts[2]


def _list(value: Any, where: str) -> list[Any]:
  if not isinstance(value, list):
    raise UsageError(f"{where}: field triples={short(value)}: must be a list")
  return value


def _texts(value: Any, where: str, name: str) -> tuple[str, ...]:
  """Returns a text or a list of texts as a tuple."""
  texts = value if isinstance(value, list) else [value]
  if not all(isinstance(text, str) for text in texts):
    raise UsageError(
      f"{where}: field {name}={short(value)}: must be a text, or a list of them"
    )
  return tuple(texts)


def _ends(path: pathlib.Path, end: str) -> bool:
  return path.name.removesuffix(".gz").lower().endswith(end)
