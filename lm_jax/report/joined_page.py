"""The table of what differs between experiments that were joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lm_jax.report import subject
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.joined_parts import DATA, Part
from lm_jax.report.subject import listed


def differences(
  parts: Sequence[Part], own: Sequence[str]
) -> dict[str, list[str]]:
  """Returns by field what each experiment has; the labels come first."""
  experiments = [part.experiment for part in parts]
  abouts = [experiment.about for experiment in experiments]
  fields: dict[str, list[str]] = {
    "experiment": list(own),
    "directory": [str(e.directory) for e in experiments],
    "arms": [", ".join(e.arms) for e in experiments],
    "runs done": [f"{e.count()} of {len(e.runs)}" for e in experiments],
  }
  for name in ("date", "command", "machine"):
    fields[name] = [str(about.get(name) or "") for about in abouts]
  fields["commit"] = [
    ", ".join(
      dict.fromkeys(str(r.raw.get("commit") or "")[:10] for r in e.runs)
    )
    for e in experiments
  ]
  versions = [
    v if isinstance(v := about.get("versions"), dict) else {}
    for about in abouts
  ]
  for name in dict.fromkeys(name for one in versions for name in one):
    fields[f"version of {name}"] = [str(one.get(name, "")) for one in versions]
  for path in DATA[:2]:
    fields[f"fingerprint of {path}"] = [
      ", ".join(sorted(text[:12] for text in part.fingerprints(path)))
      for part in parts
    ]
  settings = [_constant(experiment) for experiment in experiments]
  common = set.intersection(*map(set, settings))
  shared = [{path: one[path] for path in common} for one in settings]
  paths = subject.varied(shared)
  for path in ("budget", *(path for path in paths if path != "budget")):
    fields[path] = [
      ", ".join(subject.values_of(path, e.settings)) for e in experiments
    ]
  return fields


def _constant(experiment: Experiment) -> dict[str, Any]:
  """Returns the settings that all runs share."""
  known = [settings for settings in experiment.settings if settings]
  if not known:
    return {}
  return {
    path: value
    for path, value in known[0].items()
    if all(path in one and one[path] == value for one in known)
  }


def blocks(experiment: Experiment) -> list[Block]:
  """Shows what differs between the experiments that were joined.

  Nothing for an experiment that was not.
  """
  fields = experiment.about.get("joined")
  if not fields:
    return []
  own = fields["experiment"]
  rows = tuple(
    (name, *(value or "–" for value in values))
    for name, values in fields.items()
    if name != "experiment" and len(set(values)) > 1
  )
  same = [name for name, values in fields.items() if len(set(values)) == 1]
  known = [name for name in same if fields[name][0]]
  text = f"The same in all: {listed(known, 'and')}." if known else ""
  if rest := [name for name in same if name not in known]:
    text += f" Not known: {listed(rest, 'and')}."
  columns = tuple(range(len(own) + 1))
  return [Table(("field", *own), rows, words=columns), Text(text.strip())]
