"""The command `evaluate`: every task in the way that fits it."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.evaluation import (
  formats,
)
from lm_jax.evaluation.evaluate import evaluate
from lm_jax.evaluation.flags import Asked


def main(asked: Asked) -> int:
  """Evaluates as flags ask; returns the exit code."""
  as_text = asked.format == "text"
  found = evaluate(asked, _print if as_text else None)
  if asked.format == "json":
    print(formats.as_json(found))
  elif asked.format == "csv":
    print(formats.as_csv(found), end="")
  elif asked.workdir:
    print(f"{asked.workdir}/report.html")
  return 0


def _print(lines: Sequence[str]) -> None:
  """At once, for those who wait."""
  print("\n".join(lines), flush=True)
