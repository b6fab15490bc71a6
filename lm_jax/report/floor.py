"""Says how many items arms are ranked by, and when they are too few.

compare counts them before the first run, and experiment.json holds what it
found under "yardstick"; older experiments have the scores in result.json.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment

# With fewer items a single one moves a score by more than a point, and a
# handful of sentences would decide. Nothing is ranked by them.
FEWEST = 100
RECORD = "yardstick"
PAIRS = "minimal_pairs"

Counts = Mapping[str, Mapping[str, int]]  # of pairs, by script and kind


def items_of(experiment: Experiment, metric: str | None) -> int:
  """Counts the items of a metric; 0 where no run holds their scores."""
  lists = [run.items[metric] for run in experiment.runs if metric in run.items]
  return len(lists[0]) if lists else 0


def is_enough(experiment: Experiment, metric: str) -> bool:
  """Returns whether arms may be ranked by a metric.

  One without scores of items, such as bits per byte, has no floor.
  """
  if metric.startswith(f"{PAIRS}/"):
    metric = PAIRS  # A kind of pairs is never more than all of them.
  count = items_of(experiment, metric)
  return count == 0 or count >= FEWEST


def asked(experiment: Experiment) -> str:
  """Returns what --metric asked to rank by; "" for what is the best."""
  return str(_record(experiment).get("metric") or "")


def _record(experiment: Experiment) -> Mapping[str, Any]:
  record = experiment.about.get(RECORD)
  return record if isinstance(record, Mapping) else {}


def in_words(counts: Counts) -> str:
  """Says how many pairs there are.

  >>> in_words({"Han": {"swap": 9, "order": 8}, "Latin": {"swap": 2}})
  '19 (Han: swap 9, order 8; Latin: swap 2)'
  """
  total = sum(sum(kinds.values()) for kinds in counts.values())
  parts = [
    f"{script}: {', '.join(f'{kind} {n}' for kind, n in kinds.items())}"
    for script, kinds in counts.items()
  ]
  return f"{total:,}" + (f" ({'; '.join(parts)})" if parts else "")


def sentences(experiment: Experiment) -> list[str]:
  """Says what pairs the arms were measured on, and of what text."""
  told = []
  for one in _corpora(experiment):
    words = f"; words: {one['words']}" if one.get("words") else ""
    told.append(
      f"Minimal pairs of the held-out text of {one['corpus']}:"
      f" {in_words(one['counts'])}{words}."
    )
    known = one.get("by_frequency")
    if isinstance(known, float):
      told[-1] += (
        f" A model that knows only how frequent tokens are gets"
        f" {100 * known:.1f} % of them right."
      )
  if not told and (counts := _from_items(experiment)):
    kinds = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    told.append(f"Minimal pairs: {items_of(experiment, PAIRS):,} ({kinds}).")
  if published := _record(experiment).get("published"):
    told.append(f"Published pairs: {published}.")
  if labels := _labels(experiment):
    told.append(
      f"Probe of labels: {labels} labels, equally many documents' passages of"
      f" each, so that chance is {100 / labels:.1f} %."
    )
  return told


def _labels(experiment: Experiment) -> int:
  """The number of labels that the probe has asked for; 0 without it."""
  numbers = [run.metrics.get("probe/label/labels") for run in experiment.runs]
  return int(max((n for n in numbers if n), default=0))


def _corpora(experiment: Experiment) -> list[dict[str, Any]]:
  """The records of what was counted; [] where they are none."""
  listed = _record(experiment).get("pairs")
  return [
    one
    for one in (listed if isinstance(listed, list) else ())
    if isinstance(one, dict)
    and isinstance(one.get("counts"), dict)
    and all(isinstance(kinds, dict) for kinds in one["counts"].values())
    and "corpus" in one
  ]


def _from_items(experiment: Experiment) -> dict[str, int]:
  """Counts pairs by kind (and script) in the results of runs."""
  parts = [
    name
    for name in experiment.measured
    if name.startswith(f"{PAIRS}/") and not metrics_lib.split(name)[1]
  ]
  counts = {
    name.partition("/")[2]: items_of(experiment, name) for name in parts
  }
  return {kind: count for kind, count in counts.items() if count}


def why_unranked(experiment: Experiment) -> str:
  """Says why finished arms are not ranked; "" where items are not the reason.

  The metric that was asked for, or minimal pairs.
  """
  name = asked(experiment) or PAIRS
  if name != PAIRS:
    label = metrics_lib.get(name).label
    if count := items_of(experiment, name):
      return f"{count:,} items of {label} are too few; it takes {FEWEST}"
    return f"no arm has {label}, which --metric={name} asked to rank by"
  if count := items_of(experiment, PAIRS):
    return f"{count:,} minimal pairs are too few; it takes {FEWEST}"
  if experiment.runs and all("metrics" in run.raw for run in experiment.runs):
    return (
      f"no minimal pairs could be made of the held-out text of"
      f" {corpora(experiment)}, or no arm has a score of a text"
    )
  return ""


def corpora(experiment: Experiment) -> str:
  """Names the corpora of the runs, with their scripts where they are known."""
  known = {one["corpus"]: list(one["counts"]) for one in _corpora(experiment)}
  names: Sequence[str] = list(
    dict.fromkeys(
      str(run["data.corpus"])
      for run in experiment.settings
      if run.get("data.corpus")
    )
  )
  told = [
    f"{name} ({', '.join(known[name])})" if known.get(name) else name
    for name in names or known
  ]
  return ", ".join(told) or "the corpus"
