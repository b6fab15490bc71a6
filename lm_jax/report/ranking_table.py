"""The table of the ranking at equal spend, and its sentences."""

from __future__ import annotations

from collections.abc import Sequence

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount, show
from lm_jax.report.ranking import NEAR, NEAR_SECONDS, Flip, Ranking
from lm_jax.report.subject import listed


def _pairs(flips: Sequence[Flip], most: int = 8) -> str:
  pairs = [f"{flip.ahead} > {flip.behind}" for flip in flips[:most]]
  more = len(flips) - most
  return ", ".join(pairs) + (f" and {more} more" if more > 0 else "")


def _cell(name: str, ranking: Ranking, arm: str) -> str:
  """Formats "1–2. 67.9": first and last place, and score."""
  if arm not in ranking.scores:
    share = ranking.shares.get(arm)
    return "–" if share is None else f"– ({100 * share:.0f} %)"
  places = ranking.places(arm)
  score = show(name, ranking.scores[arm])
  if places is None:
    return score
  first, last = places
  return f"{first}. {score}" if first == last else f"{first}–{last}. {score}"


def ranking(analysis: Analysis, found: list[Ranking]) -> list[Block]:
  """Decayed models at equal spend in every currency, and where they flip."""
  name = analysis.metric
  if name is None or not found:
    return []
  names = metrics_lib.CURRENCIES
  arms = list(dict.fromkeys(arm for r in found for arm in r.scores))
  arms += [a for a in analysis.experiment.arms if a not in arms]
  arms = [a for a in arms if any(a in r.scores or a in r.shares for r in found)]
  rows = [("equal at", *(amount(r.spend, r.currency) for r in found))]
  rows += [(arm, *(_cell(name, r, arm) for r in found)) for arm in arms]
  head = ("arm", *(names[r.currency] for r in found))
  blocks: list[Block] = [Table(head, tuple(rows)), Text(_reading(name, found))]
  blocks += map(Text, _best(found))
  if left := _left_out(found):
    blocks.append(Text(left))
  blocks += map(Text, _flipped(found))
  return blocks


def _reading(name: str, found: list[Ranking]) -> str:
  over = {r.over for r in found if r.over}
  test = "No pair could be tested, so that nobody has a place."
  if over:
    kind = "over items, these checkpoints only"
    if over == {"seeds"}:
      kind = "over seeds"
    elif len(over) > 1:
      kind = "over seeds, or over items where seeds are few"
    test = (
      "Places range from 1 and the number of arms shown to be better to the"
      f" number of arms without those shown to be worse, {kind}, after Holm's"
      " correction for all pairs of a column."
    )
  return (
    f"Mean {metrics_lib.get(name).label} of decayed models: the ends of runs,"
    " and of branches whose learning rate decayed to that spend. Spends within"
    f" {100 * NEAR:.0f} % count as equal ({100 * NEAR_SECONDS:.0f} % of"
    f" seconds). {test}"
  )


def _best(found: list[Ranking]) -> list[str]:
  """Says which arms are the best in each currency, together where alike."""
  alike: dict[tuple[bool, tuple[str, ...]], list[str]] = {}
  for r in found:
    if r.tested:
      key = bool(r.shares), tuple(sorted(r.best))
      alike.setdefault(key, []).append(metrics_lib.CURRENCIES[r.currency])
  sentences = []
  for (partly, arms), currencies in alike.items():
    tied = " are tied for the best" if len(arms) > 1 else " is the best"
    of = " of the arms that stand there" if partly else ""
    at = listed(currencies, "and")
    sentences.append(f"At equal {at} {listed(list(arms), 'and')}{tied}{of}.")
  return sentences


def _left_out(found: list[Ranking]) -> str:
  """Says which arms have no rank where, and why."""
  ended: dict[str, list[str]] = {}
  undecayed: dict[str, list[str]] = {}
  for r in found:
    for arm, share in r.shares.items():
      whose = ended if share > 1 else undecayed
      whose.setdefault(metrics_lib.CURRENCIES[r.currency], []).append(arm)

  def where(by_currency: dict[str, list[str]]) -> str:
    parts = (
      f"{listed(arms, 'and')} at equal {currency}"
      for currency, arms in by_currency.items()
    )
    return "; ".join(parts)

  sentences = []
  if undecayed:
    sentences.append(
      f"No rank: {where(undecayed)}. No decayed model of every seed stands"
      " there, and a model in the middle of its schedule is worse than a run of"
      " that budget would be: --branches=auto and --optimizer.schedule=wsd"
      " make branches that end there."
    )
  if ended:
    sentences.append(
      f"No rank: {where(ended)}, since their runs ended before that spend."
    )
  if sentences:
    sentences.append("In brackets, the spend as a share of their runs'.")
  return " ".join(sentences)


def _flipped(found: list[Ranking]) -> list[str]:
  base = metrics_lib.CURRENCIES[found[0].currency]
  sentences = []
  for r in found[1:]:
    if not r.flips:
      continue
    shown = [flip for flip in r.flips if flip.shown]
    if all(flip.shown is None for flip in r.flips):
      tail = "no test says whether that is noise"
    elif shown:
      tail = f"both differences are shown for {_pairs(shown)}"
    else:
      tail = "for no pair are both differences shown"
    sentences.append(
      f"At equal {metrics_lib.CURRENCIES[r.currency]} the order of the means"
      f" flips against equal {base}: {_pairs(r.flips)}; {tail}."
    )
  whole = len(found) > 1 and not any(r.shares for r in found)
  if whole and not any(r.flips for r in found):
    sentences.append("The order of the means is the same in every currency.")
  return sentences
