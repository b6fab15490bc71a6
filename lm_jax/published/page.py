"""Writes the page of published claims, with a table of all verdicts."""

from __future__ import annotations

import pathlib
import shlex
from collections.abc import Mapping, Sequence

from lm_jax.published import files, needs, verdict
from lm_jax.published import outcome as outcome_lib
from lm_jax.published.claim import Claim, Scale
from lm_jax.published.outcome import Outcome, Part
from lm_jax.report.metrics import interval
from lm_jax.storage.log import write_atomically

_HEAD = """\
# Published claims

What papers say of pretraining objectives, and what came of it here. Written by

    python launch.py reproduce --data=DIR --table=docs/published.md

which runs every claim that takes an hour at most (`--hours`), scaled down where
it has such settings (`--scale=full`: as published), and keeps the verdicts of
claims that it does not run. `reproduce NAME ...` runs some, `reproduce --list`
lists all, and a claim is one file, `experiments/published/NAME.py`. DIR holds
data that lm_jax does not have: `tinyshakespeare.txt`, weights.

| verdict | meaning |
|---|---|
| reproduced | of an order, the interval of the difference leaves out 0 on the\
 claimed side; of a number, the interval lies within the tolerance |
| opposite | the interval leaves out 0 on the other side |
| equivalent | two one-sided tests at 5 % show the difference to be smaller\
 than the smallest effect that the claim states |
| different | a number's interval lies outside of the tolerance |
| inconclusive | none of these: what is not shown to differ may differ |
| not run here | and why |

Intervals are over seeds, and over items too where each has a score
([statistics.md](statistics.md)), at 95 %; of a claim of m orders each is at
1 - 5 % / m, and so are the tests. A claim of several parts is reproduced if
every part is, and opposite or different if one part is. **Scaled down** means
other models, data and measures than the paper's: such a verdict is about the
claim at that size, and says nothing of the paper.

"""


def line(outcome: Outcome) -> str:
  """Formats the verdict on a claim in a line, and one for each of its parts."""
  small = "" if outcome.scale == "full" else f", {outcome.scale}"
  why = f": {outcome.why}" if outcome.why else ""
  lines = [f"{outcome.name}: {outcome.verdict}{small}{why}"]
  lines += [
    f"  {part.label}: {part.verdict}; published {part.published}; here"
    f" {ours(part)}"
    for part in outcome.parts
  ]
  return "\n".join(lines)


def ours(part: Part) -> str:
  """Formats our number with its interval and unit: +3.4 [-2.4, +9.4]."""
  if part.value is None:
    return "–"
  if part.low is None and part.high is None and abs(part.value) >= 1e6:
    return f"{part.value:.3g}"
  signed = " above " in part.label
  text = interval(part.value, part.low, part.high, signed=signed)
  return f"{text} {part.unit}".rstrip()


def write(path: pathlib.Path, outcomes: Sequence[Outcome]) -> None:
  """Writes the page, and all outcomes beside it as JSON.

  A claim that was not run keeps its former verdict.
  """
  beside = path.with_suffix(".json")
  known = outcome_lib.read(beside)
  for new in outcomes:
    former = known.get(new.key)
    ran = former is not None and former.verdict != verdict.NOT_RUN
    if new.verdict != verdict.NOT_RUN or not ran:
      known[new.key] = new
  claims = {name: files.load(name).claim for name in files.paths()}
  write_atomically(beside, outcome_lib.as_json(known))
  write_atomically(path, text(claims, known))


def text(claims: Mapping[str, Claim], outcomes: Mapping[str, Outcome]) -> str:
  """Returns the page.

  Args:
    claims: by name.
    outcomes: by key; those of other claims are left out.
  """
  rows = [
    "| claim | paper, table | published | here | seeds | scale | verdict"
    " | date |",
    "|---|---|---|---|--:|---|---|---|",
  ]
  sections = []
  for name, claim in claims.items():
    own = [o for o in outcomes.values() if o.name == name]
    rows += _rows(name, claim, own)
    sections += _section(name, claim, own)
  return _HEAD + "\n".join(rows) + "\n\n" + "\n".join(sections).rstrip() + "\n"


def _rows(name: str, claim: Claim, own: Sequence[Outcome]) -> list[str]:
  """Returns the rows of a claim: one for each part of each outcome."""
  paper = f"{claim.paper.authors} {claim.paper.year}, {claim.table}"
  rows = []
  for one in own or [_unlooked(name, claim)]:
    seeds, date = str(one.seeds or "–"), one.date[:10] or "–"
    shown = [
      (part.label, part.published, ours(part), part.verdict)
      for part in one.parts
    ] or [(p.label, p.published, "–", one.verdict) for p in claim.parts]
    for label, published, here, said in shown:
      cells = [f"[{name}](#{name}): {label}", paper, published, here]
      cells += [seeds, one.scale, said, date]
      rows.append("| " + " | ".join(map(_escaped, cells)) + " |")
  return rows


def _unlooked(name: str, claim: Claim) -> Outcome:
  scale = "scaled down" if claim.small else "full"
  data = " --data=DIR" if needs.names(claim, claim.scale("small")) else ""
  return Outcome(
    name,
    scale,
    verdict.NOT_RUN,
    why="not looked at yet",
    command=f"python launch.py reproduce {name}{data}",
  )


def _section(name: str, claim: Claim, own: Sequence[Outcome]) -> list[str]:
  lines = [f"## {name}", "", claim.statement, ""]
  paper = claim.paper
  facts = {
    "paper": f"{paper.authors}, {paper.title}, {paper.year}, {paper.source};"
    f" {claim.table}",
    "published": "; ".join(
      f"{part.label}: {part.published}" for part in claim.parts
    ),
    "looked up in": claim.checked,
    "data": claim.data,
    "full scale": _scale(claim.full),
  }
  if claim.small is not None:
    facts["scaled down"] = _scale(claim.small)
  facts |= {"not here": claim.unsupported}
  lines += [f"- {key}: {value}" for key, value in facts.items() if value]
  for one in own or [_unlooked(name, claim)]:
    lines += ["", *_outcome(one)]
  return [*lines, ""]


def _scale(scale: Scale) -> str:
  """Describes a scale in a line: measure, cost, settings, what differs."""
  parts = [f"measure: {scale.measure}"] if scale.measure else []
  if scale.smallest_effect:
    parts[-1] += f", smallest effect {scale.smallest_effect:g}"
  parts.append(needs.time(scale))
  if scale.settings:
    flags = [f"--{path}={value}" for path, value in scale.settings.items()]
    parts.append(f"settings: `{shlex.join(flags)}`")
  if scale.tasks:
    parts.append(f"fine-tuned for {', '.join(scale.tasks)}")
  if scale.differs:
    parts.append(f"what differs: {scale.differs}")
  if scale.impossible:
    parts.append(f"not run: {scale.impossible}")
  if scale.caution:
    parts.append(f"why it may not carry over: {scale.caution}")
  return "; ".join(parts)


def _outcome(one: Outcome) -> list[str]:
  small = "" if one.scale == "full" else f", {one.scale}"
  if one.why:
    command = f" `{one.command}`" if one.command else ""
    return [f"**{one.verdict.capitalize()}{small}**: {one.why}.{command}"]
  lines = [f"**{one.verdict.capitalize()}{small}.**"]
  lines += [
    f"{part.label}: {part.verdict}, {ours(part)}." for part in one.parts
  ]
  made = [f"`{one.command}`", one.date, one.machine]
  if one.commit:
    made.append(f"commit {one.commit}")
  return [" ".join(lines), "", ", ".join(filter(None, made))]


def _escaped(cell: str) -> str:
  return cell.replace("|", "\\|")
