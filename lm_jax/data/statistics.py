"""Describes a corpus, as `list corpora --data.corpus=X` prints it."""

from __future__ import annotations

from collections.abc import Iterator

from lm_jax.data.rows import Dataset
from lm_jax.data.table import Table
from lm_jax.data.table_manifest import Split
from lm_jax.support import monospace


def describe(dataset: Dataset) -> str:
  """Describes each corpus of a data set, split by split.

  The counts were made with the rows: documents, duplicates within the split,
  tokens and UTF-8 bytes of the text, tokens of the longest document, rows, and
  the share of their positions left empty.
  """
  lines = [
    f"{dataset.vocabulary_size} tokens in the vocabulary, "
    f"rows of {dataset.length} tokens"
  ]
  if dataset.words:
    lines.append(f"words: {dataset.words}")
  total = sum(dataset.weights)
  for corpus, table, weight in zip(
    dataset.corpora, dataset.tables, dataset.weights, strict=True
  ):
    title = corpus.name
    if len(dataset.tables) > 1:
      title += f": {weight / total:.2%} of what is read"
    lines += ["", title, *_lines(table)]
  return "\n".join(lines)


def _lines(table: Table) -> Iterator[str]:
  named = [_cells(*item, table.length) for item in table.splits.items()]
  cells = [tuple(named[0]), *(tuple(row.values()) for row in named)]
  widths = [
    max(map(monospace.width, column)) for column in zip(*cells, strict=True)
  ]
  for name, *numbers in cells:
    padded = [f"{n:>{w}}" for n, w in zip(numbers, widths[1:], strict=True)]
    yield "  ".join([monospace.left(name, widths[0]), *padded])


def _cells(name: str, split: Split, length: int) -> dict[str, str]:
  positions = split.rows * length
  empty = 1 - split.positions / positions if positions else 0.0
  each = split.bytes / split.tokens if split.tokens else 0.0
  return {
    "split": name,
    "documents": f"{split.documents:,}",
    "duplicates": f"{split.duplicates:,}",
    "tokens": f"{split.tokens:,}",
    "bytes": f"{split.bytes:,}",
    "bytes/token": f"{each:.2f}",
    "longest": f"{split.longest:,}",
    "rows": f"{split.rows:,}",
    "padding": f"{empty:.2%}",
  }
