"""result.json: what a run came to, read again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_jax.support import strict_json
from lm_jax.support.errors import UsageError, short

FILE = "result.json"
# What a run ends with; see lm_jax/runs/local.py.
_STATUSES = ("done", "diverged", "failed", "interrupted")
# What --eval asks for at a run's end, from little to much.
_MEASURED = {"none": 0, "loss": 1, "final": 2, "all": 2}


def read(path: Path, hint: str) -> dict[str, Any]:
  """What result.json holds: at least a "status", and "metrics" that are one.

  Args:
    path: of the file, which exists.
    hint: what the user may do about a damaged one.

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
  """Would the run, made again, come to the same?

  Args:
    result: what `read` gives.
    asked: what is to be measured, of Config.eval; one that measured less goes
      on from its last checkpoint. Older results know all.
  """
  if result["status"] == "diverged":
    return True
  most = max(_MEASURED.values())
  found = _MEASURED.get(str(result.get("eval")), most)
  return result["status"] == "done" and found >= _MEASURED[asked]
