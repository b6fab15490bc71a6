"""Joins experiments that were made at different times into one.

The arms of the others join those of the first one, whose baseline is that of
all. What differs between the experiments is a table, and a measure that does
not compare between them is left out of the others' runs, with the reason.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from lm_jax.report import joined_page, subject
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.joined_parts import CORPUS, DATA, TOKENIZER, Part, labels
from lm_jax.report.run import Run
from lm_jax.report.subject import listed

# Measures in which a text's tokens count, so that another tokenizer's differ.
_OF_TOKENS = (metrics_lib.OWN_LOSS, metrics_lib.BITS, metrics_lib.BOUND)


def join(parts: Sequence[Part], directory: Path, command: str) -> Experiment:
  """Makes one experiment of several.

  Args:
    parts: the first has the baseline.
    directory: where its report will be.
    command: that makes it.
  """
  own = labels([part.experiment for part in parts])
  first = parts[0].experiment
  runs, notes = list(first.runs), list(first.notes)
  # The arms so far: by name, the part that they come from and its arm.
  arms = {arm: (parts[0], arm) for arm in first.arms}
  trials = _trials(first, {arm: arm for arm in first.arms})
  for part, label in zip(parts[1:], own[1:], strict=True):
    renamed, said = _renamed(part, label, arms)
    notes += said
    arms |= {
      new: (part, arm) for arm, new in renamed.items() if new not in arms
    }
    left_out = _left_out(parts[0], part)
    notes += [f"{label}: {text}" for text in dict.fromkeys(left_out.values())]
    joining, said = _without_twins(part, renamed, runs, label)
    notes += said
    runs += [_without(run, set(left_out)) for run in joining]
    notes += [f"{label}: {note}" for note in part.experiment.notes]
    trials |= _trials(part.experiment, renamed)
  experiments = [part.experiment for part in parts]
  about: dict[str, Any] = {
    "name": " with ".join(own),
    "title": f"{first.subject.title}, with {listed(own[1:], 'and')}",
    "question": first.subject.question,
    "docstring": first.subject.docstring,
    "baseline": first.baseline,
    "differs": _differs(experiments),
    "trials": trials,
    "command": command,
    "joined": joined_page.differences(parts, own),
  }
  for name in ("date", "machine"):
    values = [str(e.about[name]) for e in experiments if e.about.get(name)]
    about[name] = "; ".join(dict.fromkeys(values))
  versions = [experiment.about.get("versions") for experiment in experiments]
  if all(one == versions[0] for one in versions):
    about["versions"] = versions[0]
  notes.insert(
    0,
    f"The experiments {listed(own, 'and')} were made apart, and are compared"
    " after the fact: what this page shows is exploratory.",
  )
  return Experiment(
    directory, about["name"], first.baseline, tuple(runs), about, tuple(notes)
  )


def _renamed(
  part: Part, label: str, arms: Mapping[str, tuple[Part, str]]
) -> tuple[dict[str, str], list[str]]:
  """Returns the name that each arm of a part has among others; and notes."""
  renamed, notes = {}, []
  for arm in part.experiment.arms:
    twins = [
      name
      for name, (other, its) in arms.items()
      if not _hindrance(part, arm, other, its)
    ]
    # Under its own name, or one that it has been given here.
    same = [name for name in twins if arm in (name, arms[name][1])]
    new = arm
    if same:
      new = same[0]
      count = len(part.experiment.runs_of(arm, done=False))
      notes.append(
        f"{new} has the same configuration in {label}, whose"
        f" {count} run{'s join' if count > 1 else ' joins'} it."
      )
    elif arm in arms:
      taken = {*arms, *part.experiment.arms}
      new = _free(f"{arm} ({label})", taken)
      why = _hindrance(part, arm, *arms[arm])
      notes.append(f"{arm} of {label} is {new}: {why}.")
    elif twins:
      notes.append(
        f"{new} of {label} has the configuration of {listed(twins, 'and')},"
        " under another name."
      )
    renamed[arm] = new
  return renamed, notes


def _free(name: str, taken: Collection[str]) -> str:
  """Returns a name that is not taken, with a number if need be."""
  names = (f"{name} {number}" for number in itertools.count(2))
  return next(n for n in itertools.chain([name], names) if n not in taken)


def _hindrance(part: Part, arm: str, other: Part, its: str) -> str:
  """Says why an arm is not the same as another part's; "" if it is."""
  mine, theirs = part.configuration(arm), other.configuration(its)
  if not mine or not theirs:
    return "its configuration is not known"
  if mine != theirs:
    differ = subject.varied(
      [
        part.experiment.runs_of(arm, done=False)[0].settings,
        other.experiment.runs_of(its, done=False)[0].settings,
      ]
    )
    which = listed(differ, "and") if differ else "its options"
    return f"another configuration ({which})"
  for path in DATA:
    known = part.fingerprints(path, arm), other.fingerprints(path, its)
    if all(known) and known[0] != known[1]:
      return f"the same options, but {path} has another content"
  return ""


def _without_twins(
  part: Part, renamed: Mapping[str, str], runs: list[Run], label: str
) -> tuple[list[Run], list[str]]:
  """Returns a part's runs under their new names, without those there already.

  Of two runs of one arm with the same seeds the first that is done counts; a
  run of `runs` that is not done makes room.
  """
  names = {run.name for run in runs}
  there = {(run.arm, run.cell): run for run in runs}
  joining: list[Run] = []
  same: list[str] = []
  other: list[str] = []
  for run in part.experiment.runs:
    arm = renamed[run.arm]
    twin = there.get((arm, run.cell))
    if twin is not None and (twin.done or not run.done):
      if twin.done and run.done:
        equal = run.raw.get("digest") == twin.raw.get("digest")
        (same if equal else other).append(run.name)
      continue
    if twin is not None:
      runs.remove(twin)
    name = run.name if run.name not in names else f"{run.name} ({label})"
    joining.append(dataclasses.replace(run, arm=arm, name=name))
  notes = []
  if same:
    notes.append(
      f"{listed(same, 'and')} of {label}: the same parameters are there"
      " already, and count once."
    )
  if other:
    notes.append(
      f"{listed(other, 'and')} of {label}: the same configuration and seeds are"
      " there already, with other parameters; the code, versions or machine"
      " differ, and the first one counts."
    )
  return joining, notes


def _left_out(first: Part, part: Part) -> dict[str, str]:
  """Returns the measures of a part that don't compare, and why not."""
  corpora = _differ(first, part, CORPUS)
  tokens = _differ(first, part, TOKENIZER)
  reasons: dict[str, list[str]] = {}
  for name in part.experiment.measured:
    if name not in first.experiment.measured:
      continue
    counts = [_count(one.experiment, name) for one in (first, part)]
    if corpora:
      reason = f"the held-out text is another ({corpora})"
    elif tokens and name in _OF_TOKENS:
      reason = f"the tokenizer is another ({tokens})"
    elif all(counts) and counts[0] != counts[1]:
      reason = f"{_numbers(counts[1])} items, and there {_numbers(counts[0])}"
    else:
      continue
    reasons.setdefault(reason, []).append(name)
  return {
    name: f"{listed([_label(n) for n in names], 'and')} left out: {reason}."
    for reason, names in reasons.items()
    for name in names
  }


def _label(name: str) -> str:
  return metrics_lib.get(name).label


def _count(experiment: Experiment, name: str) -> set[int]:
  """Returns how many items runs have scores of."""
  return {len(r.items[name]) for r in experiment.runs if name in r.items}


def _numbers(counts: set[int]) -> str:
  return listed([str(count) for count in sorted(counts)], "or")


def _differ(first: Part, part: Part, path: str) -> str:
  """Says in what the data of two parts differ; "" where they do not.

  By fingerprints where both are known, else by the setting.
  """
  known = [one.fingerprints(path) for one in (part, first)]
  # The fingerprint is of the training documents as well, and less of these
  # leave the held-out text as it is.
  amounts = [_values(one, "data.unique") for one in (part, first)]
  if not all(known) or (path == CORPUS and amounts[0] != amounts[1]):
    known = [_values(one, path) for one in (part, first)]
  if known[0] <= known[1] or not all(known):
    return ""
  texts = [listed([text[:12] for text in sorted(one)], "and") for one in known]
  return f"{path} {texts[0]}, and there {texts[1]}"


def _values(part: Part, path: str) -> set[str]:
  settings = (settings for settings in part.experiment.settings if settings)
  return {str(one.get(path) or "") for one in settings}


def _without(run: Run, names: set[str]) -> Run:
  """Returns a run without some of its metrics, anywhere."""
  if not names:
    return run
  return dataclasses.replace(
    run,
    metrics={k: v for k, v in run.metrics.items() if k not in names},
    items={k: v for k, v in run.items.items() if k not in names},
    history=tuple(
      {k: v for k, v in row.items() if k not in names} for row in run.history
    ),
    branches=tuple(_without(branch, names) for branch in run.branches),
  )


def _differs(experiments: Sequence[Experiment]) -> list[str]:
  known = [experiment.about.get("differs") for experiment in experiments]
  paths = [str(path) for one in known if isinstance(one, list) for path in one]
  return list(dict.fromkeys(paths))


def _trials(
  experiment: Experiment, renamed: Mapping[str, str]
) -> dict[str, Any]:
  tried = experiment.about.get("trials")
  if not isinstance(tried, dict):
    return {}
  return {renamed[arm]: n for arm, n in tried.items() if arm in renamed}
