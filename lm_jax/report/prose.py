"""The report's sentences."""

from __future__ import annotations

from collections.abc import Mapping

from lm_jax.report import compare, floor, likelihood, subject
from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount, show
from lm_jax.statistics.differences import MIN_SEEDS

# Epochs above which rows count as read again: the last batch may begin some.
_ONCE = 1.02
# Under the table of what runs spent.
SPENT = (
  "A budget of FLOPs, positions or steps is never exceeded; one of tokens, "
  "targets or seconds ends with the step that reaches it, and the table shows "
  "what was spent with it."
)


def counts(experiment: Experiment) -> str:
  total = len(experiment.runs)
  text = f"{experiment.count()} of {total} runs done"
  others = [r.status for r in experiment.runs if not r.done]
  for status in dict.fromkeys(others):
    text += f", {others.count(status)} {status}"
  return text + "."


def intervals(analysis: Analysis) -> str:
  """Says which intervals these are, in a sentence or two."""
  if analysis.metric is None:
    return "No metric ranks the arms, so that there are no differences."
  over = "seeds and items" if analysis.has_items else "seeds"
  if analysis.regime == "items":
    text = (
      f"Fewer than {MIN_SEEDS} seeds an arm show nothing of how seeds scatter: "
      "there is no seed interval, and nothing here says that another seed "
      "would give the same order."
    )
    if not analysis.has_items:
      return text
    return (
      f"{text} Intervals and tests are over items and hold for these "
      "checkpoints only."
    )
  text = (
    f"95 % intervals over {over}, by each arm's own spread; differences by the "
    "spread of their pair."
  )
  few = min(arm.done for arm in analysis.arms)
  if few < MIN_SEEDS:
    text += f" Arms of fewer than {MIN_SEEDS} seeds have none."
  if few < 5:
    text += (
      " With so few seeds only large differences can be shown: that one is not "
      "shown does not mean that there is none."
    )
  return f"{text} The item-level test holds for these checkpoints only."


def answer(analysis: Analysis) -> str:
  """Answers the experiment's question, after correction.

  A claim on the arms needs a test over seeds. Where there is none, a second
  sentence compares these checkpoints over items.
  """
  name, baseline = analysis.metric, analysis.experiment.baseline
  if name is None:
    if not any(run.done for run in analysis.experiment.runs):
      return "Nothing can be compared yet: no run is done."
    if why := floor.why_unranked(analysis.experiment):
      return f"Nothing is ranked: {why}."
    return "Nothing was measured that compares between the arms."
  label = metrics_lib.get(name).label
  if len(analysis.arms) == 1:
    return f"One arm, {baseline}: there is nothing to compare it with."
  if not analysis.differences:
    return f"No arm can be compared with the baseline {baseline} yet."
  if analysis.regime == "items":
    varied = subject.varied(analysis.experiment.settings)
    on = " on objectives" if varied in ([], ["objective"]) else ""
    text = f"No claim{on}: fewer than {MIN_SEEDS} seeds an arm ({label})."
    claims = {
      d.arm: compare.side(d.items, d.p_items, name)
      for d in analysis.differences
    }
    if all(claim is None for claim in claims.values()):
      return text
    return f"{text} These checkpoints only: {_claims(claims, baseline, label)}."
  claims = {d.arm: d.claim for d in analysis.differences}
  text = _claims(claims, baseline, label)
  if not any(claims.values()):
    text = text[0].upper() + text[1:]
  return f"{text} ({_seeds(analysis)})."


def _claims(claims: Mapping[str, str | None], baseline: str, label: str) -> str:
  """Says which arms beat the baseline, which it beats, and which neither.

  >>> _claims({"mlm": "worse", "rtd": "worse", "t5": ""}, "clm", "pairs")
  'clm beats mlm and rtd on pairs; no difference from clm is shown for t5'
  """
  better, worse, same, rest = (
    [arm for arm, claim in claims.items() if (claim or "") == kind]
    for kind in ("better", "worse", "equivalent", "")
  )
  parts = []
  if better:
    verb = "beats" if len(better) == 1 else "beat"
    parts.append(f"{subject.listed(better, 'and')} {verb} {baseline}")
  if worse:
    parts.append(f"{baseline} beats {subject.listed(worse, 'and')}")
  if same:
    verb = "is" if len(same) == 1 else "are"
    names = subject.listed(same, "and")
    parts.append(f"{names} {verb} equivalent to {baseline}")
  if not parts:
    return f"no arm is shown to differ from {baseline} on {label}"
  if rest:
    names = subject.listed(rest, "and")
    parts.append(f"no difference from {baseline} is shown for {names}")
  parts[0] += f" on {label}"
  return "; ".join(parts)


def _seeds(analysis: Analysis) -> str:
  """The number of finished seeds, and whether they are too few for much."""
  counts = sorted({arm.done for arm in analysis.arms})
  text = f"{counts[0]} seeds an arm"
  if len(counts) > 1:
    text = f"{counts[0]} to {counts[-1]} seeds an arm"
  return text + (", underpowered" if counts[0] < 5 else "")


def notes(analysis: Analysis) -> list[str]:
  """Lists what a reader must know before comparing the numbers."""
  sentences = []
  arms = [arm for arm in analysis.arms if arm.done]
  spent = [arm.ledger["flops"] for arm in arms if "flops" in arm.ledger]
  if spent and max(spent) > 1.02 * min(spent):
    sentences.append(
      f"The arms did not spend the same FLOPs: {amount(min(spent), 'flops')} "
      f"to {amount(max(spent), 'flops')}."
    )
  sizes = [arm.parameters for arm in arms if arm.parameters]
  if sizes and max(sizes) > 1.02 * min(sizes):
    sentences.append(
      f"The arms differ in size: {amount(min(sizes))} to "
      f"{amount(max(sizes))} parameters."
    )
  epochs = {arm.name: arm.ledger.get("epochs", 0.0) for arm in arms}
  again = {name: count for name, count in epochs.items() if count > _ONCE}
  if again and len(again) < len(arms):
    read = ", ".join(f"{n} {amount(e, 'epochs')}" for n, e in again.items())
    sentences.append(
      f"Some arms have read their data more than once ({read} epochs), and"
      " the others have not: what differs may be repetition."
    )
  sentences += likelihood.sentences(analysis)
  for arm in analysis.scattering:
    name = analysis.metric or ""
    unit = " points" if metrics_lib.get(name).unit == "%" else ""
    sentences.append(
      f"{arm.arm} scatters over seeds: its standard deviation, "
      f"{show(name, arm.deviation)}{unit}, is {arm.ratio:.1f} times that of "
      "the other arms. Few seeds say little of its mean."
    )
  if len(_words(analysis)) > 1:
    sentences.append(
      "The words of some runs were cut by other libraries than those of others."
    )
  sentences += floor.sentences(analysis.experiment)
  return [*sentences, *analysis.experiment.notes]


def _words(analysis: Analysis) -> list[str]:
  """Names what cut the texts of runs into words; several if runs differ."""
  texts = (run.raw.get("words") for run in analysis.experiment.runs)
  return sorted({text for text in texts if isinstance(text, str)})


def reading(analysis: Analysis) -> list[str]:
  """Explains how to read the report: what compares, and what does not."""
  return [
    *filter(None, [subject.differences(analysis.experiment.settings)]),
    *(f"Words of scripts without spaces: {text}." for text in _words(analysis)),
    "Minimal pairs: how often the objective's own score prefers a real "
    "held-out sentence to a damaged one; a tie counts as half. It compares "
    f"between objectives. With fewer than {floor.FEWEST} pairs, or items of "
    "another measure, nothing is ranked.",
    "Probes: accuracy of a logistic regression on frozen features.",
    "The validation loss is each objective's own. It says whether an arm "
    "still learns; it compares between arms of one objective with the same "
    "options and rows only.",
    "FLOPs are those of the model's dot products, forward and backward; "
    "seconds depend on the machine and on what else ran on it.",
    "Forest plot: thick lines are 95 % intervals, each on its own; thin lines "
    "are at the level at which Holm's correction for all comparisons decided "
    "on that arm, and leave 0 out exactly where there is a claim.",
  ]
