"""Writes files of JSON lines."""

import gzip
import json


def write(path, records):
  """Writes records, or lines as they are; gzipped by the path's name."""
  opener = gzip.open if path.suffix == ".gz" else open
  with opener(path, "wt") as file:
    for record in records:
      text = record if isinstance(record, str) else json.dumps(record)
      file.write(f"{text}\n")
  return path
