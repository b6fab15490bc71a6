"""Reads result.json, the result of a run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short

FILE = "result.json"
# Final statuses of a run; see lm_jax/runs/local.py.
_STATUSES = ("done", "diverged", "failed", "interrupted")
# Values of --eval by how much is measured at a run's end.
_MEASURED = {"none": 0, "loss": 1, "final": 2, "all": 2}


def read(path: Path, hint: str) -> dict[str, Any]:
  """Reads result.json: at least "status"; "metrics" is an object.

  Args:
    path: of the file, which exists.
    hint: what the user can do about a damaged file.

  Raises:
    UsageError: it is damaged.
  """
  try:
    result = strict_json.read(path, f"{path}: damaged", finite=False)
  except UsageError as error:
    raise UsageError(f"{error}; {hint}") from None
  if not isinstance(result, dict):
    raise UsageError(f"{path}: damaged: must hold a JSON object; {hint}")
  status = result.get("status")
  if not isinstance(status, str) or status not in _STATUSES:
    raise UsageError(
      f"{path}: damaged: status={short(status)}: must be one of"
      f" {', '.join(_STATUSES)}; {hint}"
    )
  for name in ("metrics", "ledger", "items", "source"):
    if not isinstance(result.get(name) or {}, dict):
      raise UsageError(
        f"{path}: damaged: {name}={short(result[name])}: must be an object;"
        f" {hint}"
      )
  return result


def is_final(result: Mapping[str, Any], asked: str) -> bool:
  """Returns whether repeating the run would give the same result.

  Args:
    result: of `read`.
    asked: what to measure, a value of Config.eval. A run that measured less
      continues from its last checkpoint. Older results measured all.
  """
  if result["status"] == "diverged":
    return True
  most = max(_MEASURED.values())
  measured = _MEASURED.get(str(result.get("eval")), most)
  return result["status"] == "done" and measured >= _MEASURED[asked]
