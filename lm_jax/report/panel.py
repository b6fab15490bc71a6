"""Lists the fields in which arms differ besides the subject of an experiment.

A difference between two arms is one of the objective only where nothing else
differs. Each field below is compared over arms; one that differs is marked,
unless the experiment has declared it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import subject
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount

# Settings that have a name of their own, always shown.
_SETTINGS = {
  "architecture": "visibility",
  "optimizer.name": "optimizer",
  "trunk.attention": "kernels",
}
_SPENT = ("flops", "targets", "tokens", "positions", "epochs")
RATE = "learning rate at the end"
PARAMETERS = "parameters"
TRIALS = "tuning trials"
# Numbers that differ by less count as equal: budgets are spent in whole steps.
_SAME = 1.02
# Fields that an experiment may declare besides its settings.
NAMES = (PARAMETERS, *_SPENT, "rate")


@dataclasses.dataclass(frozen=True)
class Field:
  """A field of all arms.

  path: by which it is declared.
  name: for people.
  values: as text, by arm; "–" where it is not known.
  differs: whether arms do in it.
  """

  path: str
  name: str
  values: Mapping[str, str]
  differs: bool


def fields(analysis: Analysis) -> list[Field]:
  """Returns the fields of arms that have a finished run.

  Numbers first, then the settings that are always shown, then all other ones
  in which arms differ.
  """
  experiment = analysis.experiment
  arms = [arm for arm in analysis.arms if arm.done]
  known = [
    _number(
      PARAMETERS,
      PARAMETERS,
      {arm.name: arm.parameters for arm in arms},
      amount,
    )
  ]
  for currency in _SPENT:
    known.append(
      _number(
        currency,
        metrics_lib.CURRENCIES.get(currency, currency),
        {arm.name: arm.ledger.get(currency) for arm in arms},
        lambda x, c=currency: amount(x, c),
      )
    )
  rates = {arm.name: _last_rate(experiment.runs_of(arm.name)) for arm in arms}
  known.append(_number("rate", RATE, rates, lambda x: f"{x:.2e}"))
  if trials := experiment.about.get("trials"):
    tried = trials if isinstance(trials, dict) else {}
    counts = {arm.name: tried.get(arm.name, 0) for arm in arms}
    known.append(_number("trials", TRIALS, counts, lambda x: f"{x:g}"))
  settings = {
    arm.name: dict(experiment.runs_of(arm.name)[0].settings) for arm in arms
  }
  others = [
    path
    for path in subject.varied(list(settings.values()))
    if path not in _SETTINGS
  ]
  for path in (*_SETTINGS, *others):
    values = {name: own.get(path) for name, own in settings.items()}
    if any(value is not None for value in values.values()):
      known.append(_setting(path, _SETTINGS.get(path, path), values))
  return known


def undeclared(known: Sequence[Field], declared: Sequence[str]) -> list[Field]:
  """Returns the fields that differ and were not declared."""
  return [
    field for field in known if field.differs and field.path not in declared
  ]


def declared(about: Mapping[str, Any]) -> tuple[str, ...]:
  """Returns what experiment.json declares to differ."""
  paths = about.get("differs")
  known = tuple(map(str, paths)) if isinstance(paths, list) else ()
  # Other budgets are other spends.
  return (*known, *_SPENT) if "budget" in known else known


def _number(
  path: str, name: str, values: Mapping[str, float | None], show: Any
) -> Field:
  numbers = [abs(x) for x in values.values() if x is not None]
  differs = bool(numbers) and (
    len(numbers) < len(values) or max(numbers) > _SAME * min(numbers)
  )
  texts = {
    arm: "–" if value is None else show(value) for arm, value in values.items()
  }
  return Field(path, name, texts, differs)


def _setting(path: str, name: str, values: Mapping[str, Any]) -> Field:
  if path == subject.PHASES:
    short = subject.short_phases([value or "–" for value in values.values()])
    values = dict(zip(values, short, strict=True))
  texts = {
    arm: value if isinstance(value, str) else json.dumps(value)
    for arm, value in values.items()
  }
  return Field(path, name, texts, len(set(texts.values())) > 1)


def _last_rate(runs: Sequence[Any]) -> float | None:
  """The mean over seeds of the last learning rate that was logged."""
  rates = []
  for run in runs:
    logged = [
      row["learning_rate"] for row in run.history if "learning_rate" in row
    ]
    rates += logged[-1:]
  return float(np.mean(rates)) if rates else None
