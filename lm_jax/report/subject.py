"""The subject of an experiment, derived from the settings of its runs.

Settings are a configuration by the flags' paths, "optimizer.learning_rate",
with every default written out.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

Settings = Mapping[str, Any]

# How a run is called, kept and watched, which changes nothing of it.
_NAMES = frozenset(
  {"name", "arm", "seed", "workdir", "data.cache", "data.workers"}
  | {"log_every", "checkpoint_every", "keep_last", "keep_every", "mesh"}
  | {"branches", "trackers", "stop_at"}
)
PHASES = "phases"
# What rows a run reads.
_ROWS = ("data.", "length", "curriculum", "batch_size")
_SEEDS = ("seed.", "seeds.")
_MOST = 6  # values of a setting that are listed


@dataclasses.dataclass(frozen=True)
class Subject:
  """An experiment's title, its question, and its file's docstring."""

  title: str
  question: str
  docstring: str = ""


def varied(runs: Sequence[Settings]) -> list[str]:
  """Lists the settings in which runs differ, the objective first.

  Settings that follow from another are left out: an objective's architecture
  and options, the trunk of a size or a preset.
  """
  known = [run for run in runs if run]
  paths = dict.fromkeys(("objective", "size", "trunk.preset"))
  paths |= dict.fromkeys(path for run in known for path in run)
  own = [p for p in paths if p not in _NAMES and not p.startswith(_SEEDS)]
  return [path for path in own if _differs(path, known)]


def _differs(path: str, runs: Sequence[Settings]) -> bool:
  above: tuple[str, ...] = ()
  if path == "architecture" or path.startswith("objective."):
    above = ("objective",)
  elif path.startswith("trunk.") and path != "trunk.preset":
    above = ("size", "trunk.preset")
  values: dict[str, set[str]] = {}
  for run in runs:
    key = json.dumps([run.get(name) for name in above])
    value = json.dumps(run.get(path), sort_keys=True)
    values.setdefault(key, set()).add(value)
  return any(len(several) > 1 for several in values.values())


def losses_compare(runs: Sequence[Settings]) -> bool:
  """Returns whether runs' validation losses measure the same thing.

  They are of one objective with the same options, on the same held-out rows.
  """
  if not runs or not all(runs):
    return False
  return not any(
    path.startswith(("objective", *_ROWS)) for path in varied(runs)
  )


def values_of(path: str, runs: Sequence[Settings]) -> list[str]:
  """Lists the values of a setting, as they are written after its flag."""
  values = [run.get(path) for run in runs if run.get(path) is not None]
  if path == PHASES:
    return list(dict.fromkeys(map(_shown, short_phases(values))))
  return list(dict.fromkeys(map(_shown, values)))


def short_phases(values: Sequence[Any]) -> list[str]:
  """Shows phases without their options, unless only these differ.

  >>> short_phases(["clm(architecture=causal_decoder):0.5,mlm:0.5", "mlm:1"])
  ['clm:0.5,mlm:0.5', 'mlm:1']
  """
  texts = list(map(str, values))
  bare = [re.sub(r"\([^()]*\)", "", text) for text in texts]
  return bare if len(set(bare)) == len(set(texts)) else texts


def _shown(value: Any) -> str:
  if isinstance(value, bool):
    return str(value).lower()
  if isinstance(value, list | tuple):
    return ",".join(map(_shown, value)) or '""'
  return f"{value:g}" if isinstance(value, float) else str(value) or '""'


def listed(words: Sequence[str], last: str) -> str:
  """Joins words with commas and `last` ("and"); counts the ones left out."""
  shown = list(words[:_MOST])
  if len(words) > _MOST:
    shown.append(f"{len(words) - _MOST} more")
  return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def derived(
  name: str,
  runs: Sequence[Settings],
  swept: Mapping[str, Sequence[str]] | None = None,
) -> Subject:
  """Says in words what runs compare; `name` where they do not differ.

  swept: values by option, or options, that were swept.
  """
  paths = varied(runs)
  values = {path: values_of(path, runs) for path in paths}
  several = values_of("objective", runs) or [name]
  objectives = listed(several, "and")
  of = "" if "objective" in paths else f" for {objectives}"
  budgets = values_of("budget", runs)
  under = f" under --budget={budgets[0]}" if len(budgets) == 1 else ""
  if swept:
    values = {key: list(texts) for key, texts in swept.items()}
    of = f" for {'each of ' if len(several) > 1 else ''}{objectives}"
    of = "" if "objective" in values else of
  if not values:
    return Subject(objectives, "")
  others = [path for path in values if path != "objective"]
  title = f"{objectives}: {listed(others, 'and')}" if others else objectives
  if len(values) == 1:
    [(path, texts)] = values.items()
    which = f"{path} does best, {listed(texts, 'or')},"
    which = which if of or under else which.removesuffix(",")
  else:
    parts = [f"{p} ({listed(texts, 'or')})" for p, texts in values.items()]
    which = f"{listed(parts, 'and')} do best"
  question = f"Which {which}{of}{under}?"
  return Subject(title, question, _plan(question, swept) if swept else "")


def of_corpus(text: str, corpora: Collection[str]) -> str:
  """Says what text was learned, in words that were written of English.

  >>> of_corpus("Which learns most of English?", {"zh.jsonl"})
  'Which learns most of the corpus zh.jsonl?'

  corpora: as --data.corpus names them; the embedded one is English.
  """
  if set(corpora) <= {"sotu"}:
    return text
  names = listed(sorted(corpora), "and")
  many = "corpora" if len(corpora) > 1 else "corpus"
  return text.replace(" of English", f" of the {many} {names}")


def _plan(question: str, swept: Mapping[str, Sequence[str]]) -> str:
  """Stands in for the docstring of an experiment's file."""
  sweeps = [f"  {key} = {', '.join(texts)}" for key, texts in swept.items()]
  return "\n".join(
    [
      *(question, "", "Swept:", *sweeps, ""),
      "Expected: nothing was written down before the runs, so that what they"
      " show is exploratory.",
    ]
  )


def from_record(
  name: str, about: Mapping[str, Any], runs: Sequence[Settings]
) -> Subject:
  """Returns a page's subject: as recorded, or derived from its runs.

  Older records hold the experiment's own words, even of a sweep.
  """
  command = str(about.get("command") or "")
  if "title" not in about and (
    "--sweep" in command or "--objectives" in command
  ):
    return derived(name, runs)
  return Subject(
    str(about.get("title") or name),
    str(about.get("question") or ""),
    str(about.get("docstring") or ""),
  )


def differences(runs: Sequence[Settings]) -> str:
  """Says what is the same in all arms and what is not; "" if unknown."""
  known = [run for run in runs if run]
  if not known:
    return ""
  paths = varied(known)
  rows = [path for path in paths if path.startswith(_ROWS)]
  start = (
    f"The arms do not read the same rows: {listed(rows, 'and')} differ"
    if rows
    else "Every arm reads the same rows in the same order with the same"
    " tokenizer"
  )
  if paths == ["objective"]:
    rest = "only the objective changes (and the architecture, where it has to)"
  elif not paths:
    rest = "nothing else is known to differ"
  else:
    parts = [f"{p} ({listed(values_of(p, known), 'and')})" for p in paths]
    rest = f"what differs is {listed(parts, 'and')}"
  return f"{start}; {rest}."
