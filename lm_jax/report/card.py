"""The card that a page begins with: all that matters, in 20 seconds."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import panel, prose, tuning, verdicts
from lm_jax.report.blocks import Card
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount, show
from lm_jax.report.ranking import Ranking
from lm_jax.report.subject import listed


def make(
  experiment: Experiment,
  analysis: Analysis,
  ranks: Sequence[Ranking],
  spread: str = "",
  swept: str = "",
) -> Card:
  """Makes the card: question, answer, cost, command, commit, what would change.

  Args:
    experiment: with all of its runs.
    analysis: of those that share no seed.
    ranks: in each currency (see `headline`).
    spread: a sentence on where the spread over seeds comes from, which answers
      an experiment of one arm.
    swept: the best values of a sweep, which answer it.
  """
  about = experiment.about
  rows = [
    ("Question", _line(experiment.subject.question)),
    ("Answer", swept or _answer(experiment, analysis, ranks, spread)),
    ("Kind", verdicts.kind(experiment)),
    ("Would change it", _changes(analysis, ranks)),
    ("Cost", _cost(experiment)),
    ("Made by", _line(about.get("command"))),
    ("Commit", _commit(experiment)),
    ("Machine", ", ".join(filter(None, map(_line, _where(about))))),
  ]
  return Card(tuple((name, text) for name, text in rows if text))


def _line(value: object) -> str:
  return " ".join(str(value or "").split())


def _where(about) -> list[object]:
  return [about.get("date"), about.get("machine")]


def _answer(
  experiment: Experiment,
  analysis: Analysis,
  ranks: Sequence[Ranking],
  spread: str,
) -> str:
  """Names the best arms together, then whom the baseline differs from."""
  if spread and len(analysis.arms) == 1:
    return spread
  if analysis.metric is None and (sealed := verdicts.sealed(experiment)):
    return sealed
  texts = [best(analysis, ranks), prose.answer(analysis)]
  if barred := tuning.unranked(experiment.about):
    edge = "tuning ended at the edge of a range"
    texts.insert(0, f"{listed(list(barred), 'and')}: not ranked, since {edge}.")
    if not any(difference.claim for difference in analysis.differences):
      texts = texts[:1]  # The rest would speak of arms that have no rank.
  flops = [x for arm in analysis.arms if (x := arm.ledger.get("flops"))]
  first = headline(ranks)
  if first and first.currency == "flops" and max(flops) > 1.02 * min(flops):
    texts.append("That compares the ends of runs, at unequal FLOPs.")
  return " ".join(filter(None, texts))


def headline(ranks: Sequence[Ranking]) -> Ranking | None:
  """Returns the ranking that answers: the first with a decayed model of all.

  Else the first one; None where no pair was tested.
  """
  whole = [rank for rank in ranks if not rank.shares]
  first = next(iter((*whole, *ranks)), None)
  return first if first and first.tested else None


def best(analysis: Analysis, ranks: Sequence[Ranking]) -> str:
  """Names the arms that none is shown to be better than; "" without a test."""
  name, first = analysis.metric, headline(ranks)
  if name is None or first is None:
    return ""
  scores = [show(name, first.scores[arm]) for arm in first.best]
  unit = " %" if metrics_lib.get(name).unit == "%" else ""
  label, shown = metrics_lib.get(name).label, f"({', '.join(scores)}{unit})"
  where = f"on {label} {shown}"
  at = f"At equal {metrics_lib.CURRENCIES[first.currency]}"
  arms = listed(first.best, "and")
  these = "" if first.over == "seeds" else ", of these checkpoints"
  if len(first.best) == len(first.scores):
    shown = f"{arms} {shown} are tied{these}"
    return f"{at} no arm is shown to be better on {label}: {shown}."
  if len(first.best) > 1:
    return f"{at} {arms} are tied for the best {where}{these}."
  return f"{at} {arms} is the best {where}{these}."


def _changes(analysis: Analysis, ranks: Sequence[Ranking]) -> str:
  """Says what would change the answer, as far as these runs tell."""
  parts = []
  if first := headline(ranks):
    other: dict[str, list[str]] = {}
    for rank in ranks:
      same = rank.tested and rank.scores.keys() == first.scores.keys()
      if same and set(rank.best) != set(first.best):
        currency = metrics_lib.CURRENCIES[rank.currency]
        other.setdefault(listed(rank.best, "and"), []).append(currency)
    for arms, currencies in other.items():
      verb = "are tied for" if " and " in arms else "is"
      at = listed(currencies, "and")
      parts.append(f"another currency: at equal {at} {arms} {verb} the best")
    if len(first.best) > 1:
      parts.append("more seeds, which may part those that are tied")
    else:
      parts.append("maybe a larger budget, of which these runs tell nothing")
  marked = panel.undeclared(
    panel.fields(analysis), panel.declared(analysis.experiment.about)
  )
  if marked:
    names = listed([field.name for field in marked], "and")
    parts.append(f"what differs undeclared: {names}")
  text = "; ".join(parts)
  return f"{text[0].upper()}{text[1:]}." if text else ""


def _cost(experiment: Experiment) -> str:
  """Sums what all runs have spent; of wall time where they say."""
  spent = [run.ledger for run in experiment.runs]
  flops = sum(ledger.get("flops", 0) for ledger in spent)
  branches = sum(ledger.get("branch_flops", 0) for ledger in spent)
  walls = [run.raw.get("wall_seconds") for run in experiment.runs]
  parts = [prose.counts(experiment).rstrip(".")]
  if flops:
    text = f"{amount(flops, 'flops')} model FLOPs"
    if branches:
      text += f", and {100 * branches / flops:.1f} % more for branches"
    tuned = sum(one.flops for one in tuning.read(experiment.about).values())
    if tuned:
      text += f", and {amount(tuned, 'flops')} before them for tuning"
    parts.append(text)
  known = [x for x in walls if isinstance(x, int | float)]
  if known and len(known) == len(walls):
    parts.append(f"{_duration(sum(known))} of wall time over all runs")
  return "; ".join(parts) + "."


def _duration(seconds: float) -> str:
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f"{hours} h {minutes} min"
  return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _commit(experiment: Experiment) -> str:
  commits = [str(run.raw.get("commit") or "") for run in experiment.runs]
  known = list(dict.fromkeys(filter(None, commits)))
  short = [
    f"{one[:10]}{' with changes' if one.endswith('+') else ''}" for one in known
  ]
  return listed(short, "and") if short else ""
