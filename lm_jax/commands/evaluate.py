"""Measures a trained model by tasks, each in the way that fits it."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.evaluation.flags import EvaluateFlags as Flags


def main(flags: Flags) -> int:
  """Evaluates as flags ask; returns the exit code."""
  flags = flags.checked()
  from lm_jax.evaluation import formats
  from lm_jax.evaluation.evaluate import evaluate

  evaluation = evaluate(flags, _print if flags.format == "text" else None)
  if flags.format == "json":
    print(formats.as_json(evaluation))
  elif flags.format == "csv":
    print(formats.as_csv(evaluation), end="")
  elif flags.workdir:
    print(f"{flags.workdir}/report.html")
  return 0


def _print(lines: Sequence[str]) -> None:
  """Prints lines at once, as each task may take long."""
  print("\n".join(lines), flush=True)
