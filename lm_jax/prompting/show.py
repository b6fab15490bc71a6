"""Accuracies as text, JSON and CSV, and predictions item by item."""

from __future__ import annotations

import collections
import csv as csv_lib
import dataclasses
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lm_jax.data.labelled import Example
from lm_jax.prompting.in_context import Result
from lm_jax.prompting.pairs import Judge
from lm_jax.prompting.prompt import Prompter
from lm_jax.prompting.reasoning import Writer

if TYPE_CHECKING:
  from lm_jax.evaluation.asked import Asked

_VOTE = "vote"


@dataclasses.dataclass
class Table:
  """What was found for a task.

  judge, items: which were asked, and what.
  results: of each number of shots.
  """

  task: str
  prompter: Prompter
  judge: Judge | Writer
  items: Sequence[Example]
  asked: Asked
  results: list[Result] = dataclasses.field(default_factory=list)

  @property
  def headline(self) -> str:
    """The correction whose accuracy is told first."""
    return _VOTE if isinstance(self.judge, Writer) else self.asked.correction

  @property
  def chance(self) -> float | None:
    labels = self.prompter.labels
    return 1 / len(labels) if labels else None

  @property
  def commonest(self) -> float | None:
    """The accuracy of always giving the commonest label of the items."""
    if not self.prompter.labels:
      return None
    counts = collections.Counter(item.label for item in self.items)
    return max(counts.values()) / len(self.items)

  def head(self) -> list[str]:
    """The lines above the results."""
    if isinstance(self.judge, Writer):
      how = f"written, {self.judge.samples} for each prompt"
    else:
      how = f"{self.judge.kind}, correction {self.asked.correction}"
    template = self.prompter.template.where.partition("=")[2]
    guessed = ""
    if self.chance is not None and self.commonest is not None:
      guessed = f"chance {100 * self.chance:.1f}, commonest label "
      guessed += f"{100 * self.commonest:.1f}; "
    return [
      f"{self.task}: {len(self.items)} items, template {template}, {how}",
      f"  {guessed}intervals: 95 %, over items, and over draws where there are"
      " several",
      "  shots  draws  accuracy, %",
    ]

  def line(self, result: Result) -> str:
    """Of one number of shots."""
    found = result.accuracy[self.headline]
    text = f"  {result.shots:5}  {result.draws:5}  {100 * found.value:5.1f}"
    if found.low is not None and found.high is not None:
      text += f" [{100 * found.low:.1f}, {100 * found.high:.1f}]"
    others = [
      f"{name} {100 * estimate.value:.1f}"
      for name, estimate in result.accuracy.items()
      if name != self.headline
    ]
    others += [
      f"{name} {value:.3f}"
      for name, value in result.metrics[self.headline].items()
    ]
    if result.dropped:
      others.append(f"{100 * result.dropped:.0f} % of the shots did not fit")
    if result.cut:
      others.append(f"{100 * result.cut:.0f} % of the items were cut")
    return text + (f"  ({', '.join(others)})" if others else "")

  def objects(self) -> list[dict[str, Any]]:
    """As JSON has it: one of each number of shots."""
    return [
      {
        "task": self.task,
        "model": self.asked.model,
        "template": self.prompter.template.where.partition("=")[2],
        "scores": self.judge.kind,
        "shots": result.shots,
        "draws": result.draws,
        "seed": self.asked.seed,
        "items": result.items,
        "chance": self.chance,
        "commonest": self.commonest,
        "headline": self.headline,
        "accuracy": {
          name: {"value": e.value, "low": e.low, "high": e.high}
          for name, e in result.accuracy.items()
        },
        "metrics": result.metrics,
        "shots_dropped": result.dropped,
        "items_cut": result.cut,
      }
      for result in self.results
    ]

  def records(self, result: Result) -> list[str]:
    """Of each item and draw, a JSON object in a line."""
    lines = []
    for p in result.predictions:
      record: dict[str, Any] = {
        "task": self.task,
        "shots": result.shots,
        "draw": p.draw,
        "id": p.id,
        "examples": p.shots,
        "choices": self.prompter.labels,
        "scores": p.scores,
        "predictions": p.predicted,
        "prediction": p.predicted[self.headline],
        "label": p.label,
        "right": p.right[self.headline],
      }
      if p.texts:
        record["texts"] = p.texts
      lines.append(json.dumps(record, ensure_ascii=False))
    return lines


def as_json(tables: Sequence[Table]) -> str:
  found = [found for table in tables for found in table.objects()]
  return json.dumps(found, indent=1, ensure_ascii=False)


def csv(tables: Sequence[Table]) -> str:
  """A row for each correction."""
  rows = []
  for table in tables:
    for found in table.objects():
      metrics = found.pop("metrics")
      for name, estimate in found.pop("accuracy").items():
        extra = {"correction": name, "accuracy": estimate["value"]}
        extra |= {"low": estimate["low"], "high": estimate["high"]}
        rows.append(found | extra | metrics[name])
  columns = list(dict.fromkeys(name for row in rows for name in row))
  out = io.StringIO()
  writer = csv_lib.DictWriter(out, columns, lineterminator="\n")
  writer.writeheader()
  writer.writerows(rows)
  return out.getvalue().rstrip("\n")
