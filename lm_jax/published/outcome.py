"""Outcomes of claims, as they are kept: a JSON file beside the table."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from lm_jax.support import strict_json
from lm_jax.support.typed_json import as_kind


@dataclasses.dataclass(frozen=True)
class Part:
  """One of the orders or numbers of a claim.

  value, low, high: ours with its interval, at 95 %, of one of m orders at
    1 - 5 % / m: a difference of two arms, or a number; None where it can't be
    had.
  unit: "points", "nats", ...; "" of a plain number.
  """

  label: str
  published: str
  verdict: str
  value: float | None = None
  low: float | None = None
  high: float | None = None
  unit: str = ""


@dataclasses.dataclass(frozen=True)
class Outcome:
  """The verdict on a claim at one scale.

  scale: "full" or "scaled down".
  seeds: of each arm; 0 where nothing is random.
  why: the reason where it was not run.
  command, machine, date: that made it; `commit` may name several.
  """

  name: str
  scale: str
  verdict: str
  parts: list[Part] = dataclasses.field(default_factory=list)
  seeds: int = 0
  why: str = ""
  command: str = ""
  commit: str = ""
  machine: str = ""
  date: str = ""

  @property
  def key(self) -> str:
    """Identifies it: a claim has one verdict at each scale."""
    return f"{self.name}, {self.scale}"


def read(path: pathlib.Path) -> dict[str, Outcome]:
  """Reads outcomes by key; {} where there is no file."""
  if not path.exists():
    return {}
  listed = as_kind(strict_json.read(path), list[Outcome], path)
  return {outcome.key: outcome for outcome in listed}


def as_json(outcomes: Mapping[str, Outcome]) -> str:
  """Formats outcomes, sorted by their keys."""
  listed: list[dict[str, Any]] = [
    dataclasses.asdict(outcomes[key]) for key in sorted(outcomes)
  ]
  return json.dumps(listed, indent=1, ensure_ascii=False) + "\n"
