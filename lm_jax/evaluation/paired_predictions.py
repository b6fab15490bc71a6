"""Predictions of models by task, number of shots and item."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from lm_jax.evaluation import predictions, store
from lm_jax.evaluation.predictions import Record
from lm_jax.report import collect
from lm_jax.support.errors import UsageError, short

# By id, a record of each draw.
PredictionsById = dict[str, dict[int, Record]]
Shots = int | None


@dataclasses.dataclass(frozen=True)
class Predictions:
  """A model's predictions.

  name: of the model, for people.
  where: flag and path, for messages.
  path: as given.
  tasks: by task, by number of shots (None of tasks without), by id.
  """

  name: str
  where: str
  path: str
  tasks: Mapping[str, Mapping[Shots, PredictionsById]]


def load(path: str, flag: str, name: str) -> Predictions:
  """Loads predictions from a file, or from the directory of an evaluation.

  Args:
    path: of either.
    flag: names it in messages.
    name: of the model.

  Raises:
    UsageError: it holds none, or what is wrong with a line, by its number.
  """
  where = f"{flag}={path}"
  place = pathlib.Path(path).expanduser()
  files = [place]
  if place.is_dir():
    if not (place / store.RESULTS).is_file():
      raise UsageError(
        f"{where}: has no {store.RESULTS}; needed is a .jsonl file, or what"
        " `evaluate --workdir` wrote"
      )
    files = sorted((place / store.FOLDER).glob("*.jsonl"))
  by_task: dict[str, dict[Shots, PredictionsById]] = {}
  for file in files:
    named = f"{where}/{store.FOLDER}/{file.name}" if file != place else where
    for record in predictions.read(file, named):
      _add(by_task, record, where)
  if not by_task:
    raise UsageError(f"{where}: holds no predictions")
  seal = collect.seal_of(place)
  if seal is not None and any(map(seal.hides, by_task)):
    raise UsageError(f"{where}: {seal.primary} is {seal.text()}")
  return Predictions(name, where, path, by_task)


def _add(
  found: dict[str, dict[Shots, PredictionsById]], record: Record, where: str
) -> None:
  task, shots = record["task"], record.get("shots")
  said = found.setdefault(task, {}).setdefault(shots, {})
  draws = said.setdefault(record["id"], {})
  draw = record.get("draw") or 0
  if draw in draws:
    which = "" if shots is None else f", {shots} shots, draw {draw}"
    raise UsageError(
      f"{where}: {task}{which}: id {short(record['id'])} twice; an item has"
      " one prediction"
    )
  draws[draw] = record


def names(paths: Sequence[str]) -> list[str]:
  """Makes short distinct names of models: "clm" of evals/clm or clm.jsonl."""
  parts = [pathlib.PurePath(path).with_suffix("").parts for path in paths]
  for count in range(1, max(map(len, parts)) + 1):
    short_names = ["/".join(part[-count:]) for part in parts]
    if len(set(short_names)) == len(short_names):
      return short_names
  return list(paths)
