"""Rows of names and texts, aligned for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from lm_jax.support import monospace


def columns(rows: Iterable[tuple[str, str]]) -> str:
  """Names and what they mean, aligned."""
  rows = list(rows)
  width = max((monospace.width(name) for name, _ in rows), default=0)
  return "\n".join(
    f"{monospace.left(name, width)}  {text}".rstrip() for name, text in rows
  )
