"""Reads result.json, the result of a run."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lm_jax.storage.log import write_atomically
from lm_jax.support import strict_json
from lm_jax.support.errors import advising
from lm_jax.support.status import DIVERGED, DONE, PAUSED, Status
from lm_jax.support.typed_json import as_kind

FILE = "result.json"
# Values of --eval by how much is measured at a run's end.
_MEASURED = {"none": 0, "loss": 1, "validation": 2, "final": 3, "all": 3}


@dataclasses.dataclass(kw_only=True)
class Result:
  """The content of result.json.

  Fields that are None are left out of the file, but for `error`.

  name, arm, seed: where the run stands in an experiment.
  fingerprint: of its configuration.
  history: what --allow_change has changed, with steps.
  eval: what was asked to be measured.
  error: why it diverged or failed; None of others.
  digest: of the parameters.
  ledger: what was spent, by currency.
  metrics, items: numbers by name, and scores of items by task.
  constant: tasks that were answered alike whatever was asked.
  unigram: the loss, in nats a token, of a model that knows only how frequent
    tokens are; of objectives whose loss is of tokens alone.
  likelihood: the kind of bits per byte, the estimator, and of a bound its
    standard error.
  words: what cut the words of a text that has no spaces, with versions.
  machines: on which it was computed.
  base: digest of the model that it adapts.
  plugins: directories of --plugins, where there were any.
  more: further fields, of fine-tuning and imports.
  wall_seconds: with compiling and measuring.
  """

  name: str | None = None
  arm: str | None = None
  seed: int | None = None
  fingerprint: str | None = None
  history: list[dict[str, Any]] | None = None
  status: str
  eval: str | None = None
  error: str | None = None
  step: int | None = None
  skipped: int | None = None
  digest: str | None = None
  commit: str | None = None
  objective: str | None = None
  architecture: str | None = None
  parameters: int | None = None
  scoring: str | None = None
  ledger: dict[str, Any] | None = None
  metrics: dict[str, float] | None = None
  items: dict[str, Any] | None = None
  constant: list[str] | None = None
  unigram: float | None = None
  likelihood: dict[str, Any] | None = None
  words: str | None = None
  machines: list[dict[str, Any]] | None = None
  base: str | None = None
  plugins: list[str] | None = None
  traceback: str | None = None
  more: dict[str, Any] = dataclasses.field(default_factory=dict)
  wall_seconds: float | None = None

  def as_dict(self) -> dict[str, Any]:
    """Returns the fields that the file holds."""
    fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
    more, wall = fields.pop("more"), fields.pop("wall_seconds")
    fields |= more | {"wall_seconds": wall}
    return {n: v for n, v in fields.items() if v is not None or n == "error"}

  def write(self, path: Path) -> None:
    """Writes the file in one step."""
    write_atomically(path, json.dumps(self.as_dict()) + "\n")


@dataclasses.dataclass(frozen=True)
class _Needed:
  """Fields of the file that readers rely on, whichever version wrote it."""

  status: Status
  metrics: dict[str, Any] | None = None
  ledger: dict[str, Any] | None = None
  items: dict[str, Any] | None = None
  source: dict[str, Any] | None = None


def read(path: Path, hint: str) -> dict[str, Any]:
  """Reads an existing result.json.

  Raises:
    UsageError: it is damaged; `hint` is what the user can do about it.
  """
  with advising(hint):
    result = strict_json.read(path, f"{path}: damaged", finite=False)
    as_kind(result, _Needed, f"{path}: damaged")
  return result


def is_final(
  result: Mapping[str, Any],
  asked: str,
  stop_at: float = 1.0,
  benchmark: Mapping[str, Any] | None = None,
) -> bool:
  """Returns whether repeating the run would give the same result.

  Args:
    result: of `read`.
    asked: what to measure, a value of Config.eval. A run that measured less
      continues from its last checkpoint. Older results measured all.
    stop_at: the share of the budget at which it is to be paused.
    benchmark: what is to be measured besides, as result.json has it; None for
      nothing.
  """
  if result["status"] == DIVERGED:
    return True
  most = max(_MEASURED.values())
  measured = _MEASURED.get(str(result.get("eval")), most)
  paused = result["status"] == PAUSED and result.get("stop_at", 0) >= stop_at
  ended = paused or result["status"] == DONE
  if benchmark and not paused and result.get("benchmark") != dict(benchmark):
    return False
  return ended and measured >= _MEASURED[asked]
