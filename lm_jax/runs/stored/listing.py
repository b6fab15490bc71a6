"""Shows entries of an inventory: sizes, ages, tables, JSON and CSV."""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from lm_jax.report import sheet
from lm_jax.runs.stored.entry import Entry
from lm_jax.runs.stored.inventory import Use, use_of
from lm_jax.support import monospace
from lm_jax.support.errors import UsageError
from lm_jax.support.printable import escaped

_SIZES = {"": 1, "B": 1}
_SIZES |= {f"{p}B": 1000**n for n, p in enumerate("kMGT", 1)}
_SIZES |= {f"{p}iB": 1024**n for n, p in enumerate("KMGT", 1)}
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SHOWN = 40  # characters of the arms of an entry


def parse_size(text: str, flag: str) -> float:
  """Reads bytes: "1GB", "500MiB"; raises UsageError."""
  return _parse(text, flag, {k.lower(): v for k, v in _SIZES.items()}, "1GB")


def parse_age(text: str, flag: str) -> float:
  """Reads seconds: "30d", "12h", "2w"; raises UsageError."""
  return _parse(text, flag, _AGES, "30d or 12h")


def _parse(text: str, flag: str, units: dict[str, int], example: str) -> float:
  match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", text.lower(), re.ASCII)
  if not match or match[2] not in units:
    names = ", ".join(name for name in units if name)
    raise UsageError(
      f"--{flag}={text}: must be a number and a unit, as in {example}; the"
      f" units are {names}"
    )
  return float(match[1]) * units[match[2]]


def show_size(count: float) -> str:
  """Shows bytes: "312 MB"."""
  for unit in ("B", "kB", "MB", "GB"):
    if count < 999.5:
      return f"{count:.0f} {unit}" if count >= 9.95 else f"{count:.3g} {unit}"
    count /= 1000
  return f"{count:.4g} TB"


@dataclasses.dataclass(frozen=True)
class Row:
  """An entry and what it takes on disk."""

  entry: Entry
  use: Use

  def as_object(self) -> dict[str, Any]:
    """Returns its fields, for JSON and CSV."""
    one = self.entry
    return {
      "name": one.name,
      "path": str(one.path),
      "kind": one.kind,
      "status": one.status,
      "objectives": list(one.objectives),
      "arms": list(one.arms),
      "step": one.step,
      "share": one.share,
      "done": one.done,
      "planned": one.planned,
      "changed": _utc(self.use.changed),
      "bytes": self.use.size,
      "error": one.error or None,
    }

  def cells(self) -> tuple[str, ...]:
    """Returns its cells of the table on a terminal."""
    one = self.entry
    progress = ""
    if one.planned is not None:
      progress = f"{one.done}/{one.planned} runs"
    elif one.step is not None:
      progress = f"step {one.step:,}"
      if one.share is not None:
        progress += f", {100 * one.share:.0f} %"
    arms = ", ".join(one.arms or one.objectives)
    if len(arms) > _SHOWN:
      arms = f"{arms[: _SHOWN - 3]}..."
    changed = datetime.datetime.fromtimestamp(self.use.changed)
    date = f"{changed:%Y-%m-%d %H:%M}"
    cells = (one.name, one.kind, one.status, arms, progress, date)
    return (*map(escaped, cells), show_size(self.use.size))


FIELDS = (
  *("name", "path", "kind", "status", "objectives", "arms", "step", "share"),
  *("done", "planned", "changed", "bytes", "error"),
)
HEAD = ("name", "kind", "status", "arms, tasks", "progress", "changed", "size")


def _utc(seconds: float) -> str:
  return datetime.datetime.fromtimestamp(
    round(seconds), datetime.UTC
  ).isoformat()


def rows_of(entries: Iterable[Entry]) -> list[Row]:
  """Measures entries on disk."""
  return [Row(one, use_of(one.path)) for one in entries]


def in_order(rows: Sequence[Row], sort: str) -> list[Row]:
  """Sorts rows by "date" or "size", the largest first, or by "name"."""
  if sort == "name":
    return sorted(rows, key=lambda row: row.entry.name)
  key = "changed" if sort == "date" else "size"
  return sorted(rows, key=lambda row: (-getattr(row.use, key), row.entry.name))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Aligns columns, the last one to the right."""
  lines = [head, *rows]
  widths = [
    max(map(monospace.width, column)) for column in zip(*lines, strict=True)
  ]
  return "\n".join(
    "  ".join(
      (monospace.right if number == len(head) - 1 else monospace.left)(
        cell, width
      )
      for number, (cell, width) in enumerate(zip(line, widths, strict=True))
    )
    for line in lines
  )


def as_json(objects: Sequence[dict[str, Any]]) -> str:
  return json.dumps(objects, indent=1)


def as_csv(head: Sequence[str], objects: Sequence[dict[str, Any]]) -> str:
  return sheet.text(head, [[one[name] for name in head] for one in objects])
