"""Predictions as examples on a page: what was asked, and what was answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lm_jax.report.blocks import Part

MOST_CHARACTERS = 1500  # of a text on a page
_MOST_ENTRIES = 12  # of a list

# How predictions of all kinds of tasks call the right answer, and their own.
_RIGHT = ("right", "label", "labels", "references", "answers", "gold")
_ANSWER = ("answer", "prediction", "predicted", "written")
# What says which item it is, or is shown in another form.
_KNOWN = frozenset(
  {"task", "id", "score", "shots", "draw", "examples", "asked"}
  | {"choices", "choice_scores", "choice_answers"}
)


def asked(record: Mapping[str, Any], among: Iterable[str]) -> list[Part]:
  """Shows an item's question and right answer.

  Args:
    record: a prediction.
    among: names of further fields that say what was asked.
  """
  value = record.get("asked")
  fields = value if isinstance(value, dict) else {}
  if value is not None and not fields:
    fields = {"asked": value}
  parts = [Part(name, shown(text)) for name, text in fields.items()]
  names = [name for name in among if name not in (*_RIGHT, *_ANSWER)]
  parts += [Part(name, shown(record[name])) for name in names]
  return parts + [
    Part("right answer", shown(record[name]), strong=True)
    for name in _RIGHT
    if name in record
  ]


def answered(
  record: Mapping[str, Any], who: str, among: Iterable[str]
) -> list[Part]:
  """Shows a model's answer to an item, and its score.

  Args:
    record: a prediction.
    who: names the model; "" where there is one only.
    among: names of further fields that the model decides.
  """
  said = answer(record)
  name, score = who or "answer", f"score {shown(record['score'])}"
  parts = [Part(name, score, strong=True)]
  if said is not None:
    parts = [Part(f"{name}, {score}", shown(said), strong=True)]
  before = f"{who}: " if who else ""
  ranked = _choices(record)
  if ranked:
    parts.append(Part(f"{before}choices", ranked))
  names = [n for n in among if n not in (*_RIGHT, *_ANSWER)]
  if ranked and "scores" in names:
    names.remove("scores")
  return parts + [Part(before + n, shown(record[n])) for n in names]


def further(record: Mapping[str, Any]) -> list[str]:
  """Names of the fields that have no place of their own."""
  return [name for name in record if name not in _KNOWN]


def right(record: Mapping[str, Any]) -> Any:
  """Returns the right answer, or None if it is not recorded."""
  return next((record[name] for name in _RIGHT if name in record), None)


def answer(record: Mapping[str, Any]) -> Any:
  """Returns the model's answer, or None if it is not recorded."""
  return next((record[name] for name in _ANSWER if name in record), None)


def shown(value: Any, most: int = MOST_CHARACTERS) -> str:
  """Formats a value of JSON for people, of bounded length."""
  if value is None:
    return "none"
  if isinstance(value, bool):
    return "true" if value else "false"
  if isinstance(value, float):
    return f"{value:.4g}"
  if isinstance(value, list | tuple):
    text = _joined(value, "\n" if _long(value) else ", ")
  elif isinstance(value, dict):
    lines = [f"{name}: {shown(v, most)}" for name, v in value.items()]
    text = _joined(lines, "\n")
  else:
    text = str(value)
  if len(text) > most:
    text = f"{text[:most]} … ({len(text) - most:,} characters more)"
  return text


def _joined(values: Any, separator: str) -> str:
  texts = [v if isinstance(v, str) else shown(v) for v in values]
  more = len(texts) - _MOST_ENTRIES
  tail = [f"… ({more} more)"] if more > 0 else []
  return separator.join(texts[:_MOST_ENTRIES] + tail)


def _long(values: Any) -> bool:
  return any(isinstance(v, str) and len(v) > 20 for v in values)


def _choices(record: Mapping[str, Any]) -> str:
  """Lists the choices with their scores, uncorrected ones if recorded."""
  names = record.get("choices")
  scores = record.get("choice_scores", record.get("scores"))
  if isinstance(scores, dict):
    scores = scores.get("none", next(iter(scores.values()), None))
  if not (isinstance(names, list) and isinstance(scores, list)):
    return ""
  if len(names) != len(scores):
    return ""
  return shown(
    [f"{shown(n)} {shown(s)}" for n, s in zip(names, scores, strict=True)]
  )
