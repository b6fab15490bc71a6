"""Looks at published claims again, and says what came of each."""

from __future__ import annotations

import dataclasses
import pathlib
import shlex
import sys
from typing import Literal

from lm_jax.published import files, needs, page, verdict
from lm_jax.published.claim import Computed, Number, Order, Scale, Scored
from lm_jax.published.files import File
from lm_jax.published.outcome import Outcome, Part
from lm_jax.support import columns
from lm_jax.support.errors import UsageError
from lm_jax.support.options import option
from lm_jax.support.status import EXIT, INTERRUPTED

DEFAULT = "runs/published"
WORD = "names"  # the flag that bare words stand for


@dataclasses.dataclass(frozen=True)
class Flags:
  """The claims to look at, and their size."""

  names: tuple[str, ...] = option(
    (), "which claims, also without --names=, or their files; all by default"
  )
  list_: bool = option(False, "list all claims, and run none")
  scale: Literal["small", "full"] = option(
    "small",
    "small: scaled down to two cores, where a claim has such settings; full: as"
    " published",
  )
  data: str = option(
    "", "a directory with data and weights that claims ask for: --list"
  )
  workdir: str = option(DEFAULT, "where all is kept, a directory a claim")
  seeds: int = option(0, "runs of each arm; 0: as the claim has it", least=0)
  hours: float = option(
    1.0, "what a run of every arm may take; longer claims are not run", least=0
  )
  table: str = option(
    "",
    "a page to write, docs/published.md, with a table of all verdicts, these"
    " and former ones, which are kept beside it as .json",
  )


def main(flags: Flags) -> int:
  """Runs claims; returns the exit code."""
  if flags.list_:
    print(listing())
    return 0
  for flag, text in (("data", flags.data), ("table", flags.table)):
    folder = pathlib.Path(text) if flag == "data" else pathlib.Path(text).parent
    if text and not folder.is_dir():
      raise UsageError(f"--{flag}={text}: {folder}: no such directory")
  chosen = [files.load(name) for name in flags.names or files.paths()]
  outcomes: list[Outcome] = []
  code = 0
  try:
    for file in chosen:
      outcome, ended = run(file, flags)
      code = code or ended
      if ended == EXIT[INTERRUPTED]:
        break
      print(page.line(outcome), flush=True)
      outcomes.append(outcome)
  finally:  # A claim that can't be run does not take the others along.
    if flags.table and outcomes:
      page.write(pathlib.Path(flags.table), outcomes)
  return code


def listing() -> str:
  """Returns a line for each claim: where it stands, and what it takes."""
  rows = {}
  for name in files.paths():
    claim = files.load(name).claim
    how = "scaled down" if claim.is_small("small") else "in full"
    scale = claim.scale("small")
    time = needs.time(scale)
    ends = "can't be run" if scale.impossible else f"{how}: {time}"
    text = f"{claim.paper.authors} {claim.paper.year}, {claim.table}; {ends}"
    rows[name] = text
  return columns.columns(rows.items())


def run(file: File, flags: Flags) -> tuple[Outcome, int]:
  """Runs a claim, or says why not; returns its outcome and the exit code."""
  from lm_jax.runs import record
  from lm_jax.storage import code

  claim, scale = file.claim, file.claim.scale(flags.scale)
  small = claim.is_small(flags.scale)
  outcome = Outcome(
    file.name,
    "scaled down" if small else "full",
    verdict.NOT_RUN,
    why=needs.unmet(file, scale, flags.data, flags.hours),
    command=command(file, flags),
  )
  if outcome.why:
    return outcome, 0
  made = record.provenance(outcome.command)
  outcome = dataclasses.replace(
    outcome,
    machine=made["machine"],
    date=made["date"],
    commit=code.commit()[:10],
  )
  if any(isinstance(part, Order | Number) for part in claim.parts):
    return _train(file, scale, flags, outcome)
  from lm_jax.published import measured

  parts = []
  for part in claim.parts:
    if isinstance(part, Computed):
      parts.append(measured.computed(part))
    elif isinstance(part, Scored):
      places = (
        needs.find(flags.data, name) for name in (part.model, part.file)
      )
      parts.append(measured.scored(part, *places))
  return _judged(outcome, parts), 0


def command(file: File, flags: Flags) -> str:
  """Returns the command that looks at a claim again, for the record."""
  scale = file.claim.scale(flags.scale)
  name = file.name if file.name in files.paths() else file.path
  words = ["python", "launch.py", "reproduce", name]
  if flags.scale != "small":
    words.append(f"--scale={flags.scale}")
  if needs.names(file.claim, scale):
    words.append("--data=DIR")
  if flags.seeds and flags.seeds != scale.seeds:
    words.append(f"--seeds={flags.seeds}")
  return shlex.join(words)


def _train(
  file: File, scale: Scale, flags: Flags, outcome: Outcome
) -> tuple[Outcome, int]:
  """Runs the arms of a claim, by `compare`, and judges them."""
  from lm_jax.commands import compare
  from lm_jax.published import measured
  from lm_jax.report import collect
  from lm_jax.runs import execute

  # A claim with both scales has a directory for each.
  both = outcome.scale == "full" and file.claim.small is not None
  name = f"{file.name}-full" if both else file.name
  directory = str(pathlib.Path(flags.workdir, name))
  given = {path: [text] for path, text in scale.settings.items()}
  given |= {"experiment": [file.path], "workdir": [directory]}
  given["seeds"] = [str(flags.seeds or scale.seeds)]
  if scale.corpus:
    given["data.corpus"] = [needs.find(flags.data, scale.corpus)]
  # The one call of the machinery behind `compare`.
  _, statuses, _ = compare.run(given, outcome.command)
  ended = execute.exit_code(statuses)
  if INTERRUPTED in statuses.values():
    return outcome, ended
  experiment = collect.load(directory)
  scores: measured.Scores = measured.OfExperiment(experiment)
  if scale.tasks:
    ended = _finetune(directory, scale, flags.data, outcome.command) or ended
    if ended == EXIT[INTERRUPTED]:
      return outcome, ended
    from lm_jax.report import protocol

    scores = measured.OfTasks(protocol.records(f"{directory}/finetuned"))
  commits = (run.raw.get("commit") for run in experiment.runs if run.done)
  outcome = dataclasses.replace(
    outcome,
    # Runs may have been made at several times, or copied in.
    commit=", ".join(dict.fromkeys(str(c)[:10] for c in commits if c)),
    machine=str(experiment.about.get("machine", "")),
    date=str(experiment.about.get("date", "")),
  )
  outcome = dataclasses.replace(outcome, seeds=scores.seeds(scale.measure))
  parts = measured.trained(file.claim, scale, scores)
  return _judged(outcome, parts), ended


def _finetune(directory: str, scale: Scale, data: str, line: str) -> int:
  """Fine-tunes all models for the tasks of a scale; returns the exit code.

  Args:
    directory: of the experiment.
    scale: its tasks.
    data: a directory with TASK_train.jsonl and so on; TFDS has other tasks.
    line: the command, for the record.
  """
  from lm_jax.runs import protocol_run

  print(f"lm_jax: fine-tuning for {', '.join(scale.tasks)}", file=sys.stderr)
  places = {t: needs.find(data, f"{t}_test.jsonl") for t in scale.tasks}
  given = {
    "models": [directory],
    "tasks": [",".join(scale.tasks)],
    "task_data": [
      f"{task}={place.rpartition('_test.jsonl')[0]}"
      for task, place in places.items()
      if place
    ],
    "seeds": [str(scale.seeds)],
    "workdir": [f"{directory}/finetuned"],
  }
  return protocol_run.main(given, line)


def _judged(outcome: Outcome, parts: list[Part]) -> Outcome:
  said = verdict.together([part.verdict for part in parts])
  return dataclasses.replace(outcome, verdict=said, parts=parts)
