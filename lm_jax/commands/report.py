"""Writes pages again; compares two models item by item."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lm_jax.evaluation import (
  paired,
  paired_page,
  paired_predictions,
  pairing,
  store,
)
from lm_jax.report import blocks, latex, publish, replace
from lm_jax.report.language import Code
from lm_jax.storage import disk, lock, workdir
from lm_jax.support import invocation
from lm_jax.support.errors import UsageError
from lm_jax.support.options import names_given, option
from lm_jax.support.typed_json import read_as

if TYPE_CHECKING:
  from lm_jax.report import Report
  from lm_jax.runs.joining import Join

DEFAULT = "runs/compare_objectives"
PAIRED = "paired.json"


@dataclasses.dataclass(frozen=True)
class Flags:
  """The directory whose pages are written, or predictions to compare."""

  workdir: str = option(
    "",
    "the directory of an experiment, an evaluation or a protocol of"
    " fine-tuning, whose pages are written again, by default"
    f" {DEFAULT}; with --predictions the directory of a new page, without"
    " which the table is only printed",
  )
  predictions: tuple[str, ...] = option(
    (),
    "what models said item by item, to be compared with --baseline: files of"
    " `evaluate --predictions`, or directories of `evaluate --workdir`",
    repeat=True,
  )
  baseline: str = option("", "a file or directory like those")
  with_: tuple[str, ...] = option(
    (),
    "directories of other experiments, whose arms join those of --workdir on"
    " one page, which says in what they differ",
  )
  to: str = option(
    "",
    "the directory of that page; by default with-NAME/ in that of --workdir",
  )
  format: Literal["text", "markdown", "latex", "csv", "json"] = option(
    "text", "of what is printed: of an experiment, its table of arms"
  )
  language: Code = option(
    "en", "of what is written on an experiment: English, or Chinese (zh)"
  )
  given: frozenset[str] = names_given()


def main(flags: Flags) -> int:
  """Reports as flags ask; returns the exit code."""
  if flags.predictions or "baseline" in flags.given:
    if wrong := flags.given & {"with", "to", "language"}:
      raise UsageError(
        f"--{min(wrong)}: is of experiments; leave out --predictions and"
        " --baseline"
      )
    return _compare(flags)
  from lm_jax import report
  from lm_jax.report import protocol

  directory, form = flags.workdir or DEFAULT, flags.format
  if "with" in flags.given or flags.to:
    return _join(flags, directory)
  for name in (store.RESULTS, protocol.FILE):
    if pathlib.Path(directory, name).is_file() and form != "text":
      raise UsageError(
        f"--format={form}: of an experiment, or of --predictions; {directory}"
        f" holds {name}, whose numbers are in results.csv"
      )
    if pathlib.Path(directory, name).is_file() and flags.language != "en":
      raise UsageError(
        f"--language={flags.language}: of an experiment; {directory} holds"
        f" {name}"
      )
  if pathlib.Path(directory, store.RESULTS).is_file():
    return _evaluation(directory)
  if pathlib.Path(directory, protocol.FILE).is_file():
    print(protocol.write(directory), end="")
    return 0
  from lm_jax.runs import joining, run_command

  if (again := joining.read(directory)) is not None:
    joined = joining.write(again, _command(again), flags.language)
    return _print(joined, flags)
  experiment = report.Report.load(directory, run_command.read)
  experiment.write(flags.language)
  return _print(experiment, flags)


def _print(report: Report, flags: Flags) -> int:
  if flags.format == "text":
    print(report.text(flags.language))
  else:
    print(report.main_table(flags.format, flags.language), end="")
  return 0


def _join(flags: Flags, directory: str) -> int:
  """Writes the page of several experiments."""
  from lm_jax.runs import joining

  asked = joining.plan(directory, flags.with_, flags.to)
  _print(joining.write(asked, _command(asked), flags.language), flags)
  if flags.format == "text":
    print(f"\n{asked.directory}/report.html")
  return 0


def _command(asked: Join) -> str:
  first, *others = asked.directories
  words = [f"--workdir={first}", f"--with={','.join(others)}"]
  return invocation.line(["report", *words, f"--to={asked.directory}"])


def _evaluation(directory: str) -> int:
  from lm_jax.evaluation import report, text

  evaluation = report.write(directory)
  for outcome in evaluation.outcomes:
    print("\n".join([*text.head(outcome.rows), *text.body(outcome.rows)]))
  print(f"{directory}/report.html")
  return 0


def _compare(flags: Flags) -> int:
  """Compares models with a baseline, item by item."""
  texts = (text.split(",") for text in flags.predictions)
  paths = [path for text in texts for path in text if path]
  base = flags.baseline
  for name, given in (("predictions", paths), ("baseline", base)):
    if not given:
      raise UsageError(
        f"--{name}: needed, a file of `evaluate --predictions` or a directory"
        " of `evaluate --workdir`"
      )
  twice = [p for i, p in enumerate(paths) if p in paths[:i] or p == base]
  if twice:
    raise UsageError(f"--predictions={twice[0]}: is named twice")
  directory = flags.workdir
  if directory:
    _require_own(directory, paths, base)
  *names, own = paired_predictions.names([*paths, base])
  baseline = paired_predictions.load(base, "--baseline", own)
  models = [
    paired_predictions.load(path, "--predictions", name)
    for path, name in zip(paths, names, strict=True)
  ]
  pairs, notes = pairing.pairs(models, baseline)
  if flags.format == "json":
    print(paired.as_json(pairs, baseline, notes))
  elif flags.format == "csv":
    print(paired.as_csv(pairs, baseline), end="")
  else:
    print(_shown(pairs, baseline, notes, flags.format), end="")
  if not directory:
    return 0
  command = ["report"]
  command += [f"--predictions={path}" for path in paths]
  command.append(f"--baseline={base}")
  content, files = paired_page.build(pairs, baseline, notes, command)
  about = {"predictions": list(paths)}
  about |= paired.as_object(pairs, baseline, notes)
  first = content[0]
  title = first.text if isinstance(first, blocks.Heading) else ""
  text = json.dumps(about, indent=1, ensure_ascii=False) + "\n"
  csv = paired.as_csv(pairs, baseline)
  root = workdir.create(directory)
  with (
    lock.hold(directory),
    disk.disk_errors_as_usage(f"--workdir={directory}"),
  ):
    # First: it tells the next call that the directory is its own.
    replace(root / PAIRED, text.encode("utf-8", "replace"))
    publish(root, title, content, csv, files, "paired.csv")
  if flags.format == "text":
    print(f"\n{directory}/report.html")
  return 0


def _shown(
  pairs: Sequence[pairing.Pair],
  baseline: paired_predictions.Predictions,
  notes: Sequence[str],
  form: str,
) -> str:
  """Formats a comparison for people: as text, Markdown or LaTeX."""
  if form == "latex":
    table = paired.table_of(pairs, baseline.name, True)
    return latex.table(table, f"Against {baseline.name}.", baseline.name)
  summary = paired.summary(pairs, baseline, notes)
  return (
    blocks.markdown(summary) if form == "markdown" else blocks.plain(summary)
  )


def _require_own(directory: str, paths: Sequence[str], base: str) -> None:
  """Raises UsageError if a directory holds anything but this comparison."""
  workdir.check(directory)
  root = pathlib.Path(directory)
  if not root.is_dir() or all(p.name == "lock" for p in root.iterdir()):
    return
  where = f"--workdir={directory}"
  if not (root / PAIRED).is_file():
    raise UsageError(
      f"{where}: is not empty and holds no comparison; name another directory"
    )
  held = read_as(root / PAIRED, dict)
  if (held.get("predictions"), held.get("baseline")) != (list(paths), base):
    raise UsageError(
      f"{where}: holds a comparison of other predictions; name another"
      " directory"
    )
