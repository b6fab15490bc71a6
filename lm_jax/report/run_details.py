"""Every run by itself: its command, its settings, what it gave, its digest."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import subject
from lm_jax.report.blocks import Block, Code, Details, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.metrics import amount
from lm_jax.report.run import Run

_SHORT = 12  # characters of a digest in a table


class Recipe(NamedTuple):
  """The way a run is made again.

  command: a line of a shell.
  settings: those that differ from the defaults, by the flags' paths.
  """

  command: str
  settings: dict[str, str]


# Reads the recipe of a run's directory; None where it has none.
Reader = Callable[[Path], Recipe | None]


def blocks(experiment: Experiment, read: Reader | None) -> list[Block]:
  """Shows each run behind a line, below a table of digests.

  Args:
    read: reads recipes, which need the configuration's defaults; without it
      the settings are shown in which runs differ.
  """
  content: list[Block] = [_digests(experiment), Text(_DIGESTS)]
  for run in experiment.runs:
    recipe = read(run.folder) if read else None
    content.append(_details(experiment, run, recipe))
  return content


_DIGESTS = (
  "A digest is the SHA-256 of a run's final parameters: the same command and"
  " versions on the same kind of machine give it again. On the page a run"
  " unfolds to its command and its settings."
)


def _digests(experiment: Experiment) -> Table:
  rows = tuple(
    (
      run.name,
      run.status,
      str(run.raw.get("digest") or "–")[:_SHORT],
      str(run.raw.get("commit") or "–")[:10],
      amount(run.ledger.get("seconds"), "seconds"),
    )
    for run in experiment.runs
  )
  head = ("run", "status", "digest", "commit", "seconds")
  return Table(head, rows, words=(0, 1, 2, 3))


def _lines(command: str) -> str:
  """Sets each flag of a shell's command on a line of its own."""
  words = [shlex.quote(word) for word in shlex.split(command)]
  first = next((i for i, w in enumerate(words) if w.startswith("-")), None)
  if first is None:
    return command
  return " \\\n  ".join([" ".join(words[:first]), *words[first:]])


def _details(
  experiment: Experiment, run: Run, recipe: Recipe | None
) -> Details:
  inner: list[Code | Table | Text] = []
  if recipe:
    inner.append(Code(_lines(recipe.command), "Command"))
    rows = tuple(recipe.settings.items())
    title = "setting, where it is no default"
  else:
    varied = subject.varied(experiment.settings)
    rows = tuple(
      (path, ", ".join(subject.values_of(path, [run.settings])))
      for path in varied
    )
    title = "setting in which runs differ"
  if rows:
    inner.append(Table((title, "value"), rows, words=(0, 1)))
  numbers = [
    (name, metrics_lib.show(name, x)) for name, x in run.metrics.items()
  ]
  spent = [(c, amount(x, c)) for c, x in run.ledger.items()]
  rows = tuple(
    (metrics_lib.get(name).label if kind else name, text)
    for kind, part in ((1, numbers), (0, spent))
    for name, text in part
  )
  if rows:
    inner.append(Table(("it measured and spent", ""), rows))
  if digest := run.raw.get("digest"):
    inner.append(Text(f"Digest: {digest}."))
  if not inner:
    inner.append(Text("Nothing is known of it."))
  return Details(f"{run.name}: {run.status}", tuple(inner))
