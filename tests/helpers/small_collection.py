"""A collection of a few documents, in the forms that are read."""

from __future__ import annotations

import json_lines

DOCUMENTS = {
  "d1": ("The red fox", "The red fox ran over the hills."),
  "d2": ("Boats", "Boats sail on the lake, and a fox looks on."),
  "d3": ("", "Bread is baked of flour and water."),
  "d4": ("Baking", "Water, flour, salt: bakers bake bread daily."),
  "d5": ("Empty", ""),
  "d6": ("Ships", "Ships sail the sea."),
}
QUERIES = {
  "q1": "foxes running",
  "q2": "sailing boats",
  "q3": "baking bread",
  "q4": "nothing of it",
}
GRADES = [
  ("q1", "d1", 2),
  ("q1", "d2", 1),
  ("q2", "d2", 1),
  ("q2", "d6", 1),
  ("q2", "d1", 0),
  ("q3", "d4", 1),
  ("q4", "d3", 0),
]


def jsonl(folder, prefix="small", end=".jsonl.gz"):
  """Writes PREFIX_docs and so on; returns the place."""
  documents = [
    {"id": name, "title": title, "text": text}
    for name, (title, text) in DOCUMENTS.items()
  ]
  queries = [{"id": name, "text": text} for name, text in QUERIES.items()]
  grades = [{"query": q, "doc": d, "rel": rel} for q, d, rel in GRADES]
  for name, records in (
    ("docs", documents),
    ("queries", queries),
    ("qrels", grades),
  ):
    json_lines.write(folder / f"{prefix}_{name}{end}", records)
  return str(folder / prefix)


def beir(folder, splits=("test",)):
  """Writes a directory as BEIR has it; returns it."""
  documents = [
    {"_id": name, "title": title, "text": text, "metadata": {}}
    for name, (title, text) in DOCUMENTS.items()
  ]
  queries = [{"_id": name, "text": text} for name, text in QUERIES.items()]
  json_lines.write(folder / "corpus.jsonl", documents)
  json_lines.write(folder / "queries.jsonl", queries)
  (folder / "qrels").mkdir()
  for split in splits:
    rows = ["query-id\tcorpus-id\tscore"]
    rows += [f"{q}\t{d}\t{rel}" for q, d, rel in GRADES]
    json_lines.write(folder / "qrels" / f"{split}.tsv", rows)
  return str(folder)
