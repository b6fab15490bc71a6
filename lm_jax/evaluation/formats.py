"""Results of an evaluation as JSON and CSV."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from lm_jax.evaluation import averages
from lm_jax.evaluation.results import Evaluation, Row
from lm_jax.report import sheet

# Of results.json; another one is not read.
FORMAT = 1


def as_object(evaluation: Evaluation) -> dict[str, Any]:
  """Returns the content of results.json."""
  return {
    "format": FORMAT,
    "model": dict(evaluation.model),
    "flags": dict(evaluation.flags),
    "versions": dict(evaluation.versions),
    "results": [dataclasses.asdict(row) for row in evaluation.rows],
    "averages": [
      {"shots": shots, **average._asdict()}
      for shots, average in averages.by_shots(evaluation.rows)
    ],
  }


def as_json(evaluation: Evaluation) -> str:
  return json.dumps(as_object(evaluation), indent=1, ensure_ascii=False)


def as_csv(evaluation: Evaluation) -> str:
  """Writes a line for each number; shared fields are in every line."""
  model, flags = evaluation.model, evaluation.flags
  first = {"model": model["path"], "objective": model["objective"]}
  first["architecture"] = model["architecture"]
  last = {name: flags[name] for name in ("seed", "limit")}
  last["digest"] = model["digest"]
  last["lm_jax"] = evaluation.versions["lm_jax"]
  names = [field.name for field in dataclasses.fields(Row)]
  rows = [first | dataclasses.asdict(row) | last for row in evaluation.rows]
  head = [*first, *names, *last]
  return sheet.text(head, [[row[name] for name in head] for row in rows])
