"""Says what is wrong with an experiment's numbers, before they are compared."""

from __future__ import annotations

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import show
from lm_jax.report.run import Run
from lm_jax.report.subject import listed
from lm_jax.statistics import decisions
from lm_jax.support.status import DIVERGED

# Of fewer seeds none can be told to be far from the others.
_FEWEST = 4
# Chance that a page of normal seeds has such an alarm.
_FALSE = 0.01
# The least signal by the spread of checkpoints, of metrics without seeds.
_LEAST_SIGNAL = 2.0
# Evaluations on the way that tell how checkpoints scatter.
_LAST = 5
# Of the loss of the tokens' frequencies, what counts as not below it.
_UNIGRAM = 0.98


def sentences(analysis: Analysis) -> list[str]:
  """Returns a sentence for each alarm: of runs, of arms, then of metrics."""
  return [
    *_diverged(analysis.experiment),
    *_far_off(analysis),
    *_collapsed(analysis.experiment),
    *_below_chance(analysis),
    *_learnt_nothing(analysis.experiment),
    *_no_signal(analysis),
  ]


def signal_to_noise(analysis: Analysis, name: str) -> float | None:
  """Returns the range of the arms' means by the spread of a seed.

  The spread is the root of the mean variance over seeds. None where no arm has
  two seeds, or they agree to the last bit.
  """
  means, variances = [], []
  for arm in analysis.experiment.arms:
    values = [
      run.metrics[name] for run in analysis.experiment.with_metric(name, arm)
    ]
    if values:
      means.append(float(np.mean(values)))
    if len(values) > 1:
      variances.append(float(np.var(values, ddof=1)))
  return decisions.signal_to_noise(means, variances)


def signal_to_checkpoints(analysis: Analysis, name: str) -> float | None:
  """Returns the range of the arms' last means by the spread of checkpoints.

  The spread is that of a run's last evaluations on its way, from its second
  differences, so that a steady rise counts as none: half the variance of the
  steps from one to the next (von Neumann et al. 1941). None below two steps.
  Source: Heineman et al. 2025, "Signal and noise", section 3, who take the last
  checkpoints as they are.
  """
  means, variances = [], []
  for arm in analysis.experiment.arms:
    curves = [
      run.curve("flops", name)[1][-_LAST:]
      for run in analysis.experiment.runs_of(arm)
    ]
    known = [curve for curve in curves if len(curve) >= 3]
    if known:
      means.append(float(np.mean([curve[-1] for curve in known])))
    variances += [float(np.var(np.diff(c), ddof=1)) / 2 for c in known]
  return decisions.signal_to_noise(means, variances)


def _diverged(experiment: Experiment) -> list[str]:
  by_arm: dict[str, list[str]] = {}
  for run in experiment.runs:
    if run.status == DIVERGED:
      by_arm.setdefault(run.arm, []).append(str(run.seed))
  return [
    f"{arm} diverged with the seed{'s' if len(seeds) > 1 else ''}"
    f" {listed(seeds, 'and')}; its means are of its other seeds, to its"
    " advantage."
    for arm, seeds in by_arm.items()
  ]


def _far_off(analysis: Analysis) -> list[str]:
  """Names seeds that lie far from the others of their arm.

  By the distance from the mean of the others, in standard errors of a new seed:
  t with two degrees of freedom fewer than there are seeds, and Bonferroni's
  correction for all seeds of the page.
  Source: Grubbs, Annals of Mathematical Statistics 21 (1950).
  """
  from scipy import special

  name = analysis.metric
  if name is None:
    return []
  arms = {
    arm: analysis.experiment.with_metric(name, arm)
    for arm in analysis.experiment.arms
  }
  arms = {arm: runs for arm, runs in arms.items() if len(runs) >= _FEWEST}
  count = sum(map(len, arms.values()))
  texts = []
  for arm, runs in arms.items():
    values = np.array([run.metrics[name] for run in runs])
    middle = float(np.median(values))
    for number, run in enumerate(runs):
      others = np.delete(values, number)
      error = float(others.std(ddof=1)) * np.sqrt(1 + 1 / len(others))
      distance = abs(values[number] - float(others.mean()))
      if error <= 1e-12:
        continue
      p = 2 * float(special.stdtr(len(others) - 1, -distance / error))
      if p * count < _FALSE:
        texts.append(
          f"{run.name} lies far off ({show(name, values[number])}, and the"
          f" median of {arm} is {show(name, middle)}, its mean"
          f" {show(name, float(values.mean()))})."
        )
  return texts


def _collapsed(experiment: Experiment) -> list[str]:
  """Names tasks to which runs give one answer whatever is asked."""
  by_task: dict[str, list[Run]] = {}
  for run in experiment.runs:
    for task in run.raw.get("constant") or ():
      by_task.setdefault(str(task), []).append(run)
  return [
    f"{task}: one answer to every item, by"
    f" {listed([run.name for run in runs], 'and')}."
    for task, runs in by_task.items()
  ]


def _below_chance(analysis: Analysis) -> list[str]:
  """Names arms below chance; in the tested metric over items, too."""
  texts = []
  for arm in analysis.arms:
    for name, over_seeds in arm.metrics.items():
      level = metrics_lib.get(name).chance
      own = arm.total if name == analysis.metric else None
      estimate = own or over_seeds
      if level is None or estimate.high is None or estimate.high >= level:
        continue
      texts.append(
        f"{arm.name} is below chance on {metrics_lib.get(name).label} by more"
        f" than its interval ({show(name, estimate.value)}, chance"
        f" {show(name, level)})."
      )
  return texts


def _learnt_nothing(experiment: Experiment) -> list[str]:
  """Names arms whose loss is that of a model of the tokens' frequencies."""
  texts = []
  for arm in experiment.arms:
    runs = experiment.with_metric(metrics_lib.OWN_LOSS, arm)
    known = [run.raw.get("unigram") for run in runs]
    levels = [x for x in known if isinstance(x, int | float)]
    if not levels or len(levels) < len(runs):
      continue
    loss = float(np.mean([run.metrics[metrics_lib.OWN_LOSS] for run in runs]))
    level = float(np.mean(levels))
    if loss > _UNIGRAM * level:
      texts.append(
        f"{arm} has hardly learnt more than how frequent tokens are: its loss"
        f" is {loss:.2f} nats, that of the frequencies {level:.2f}."
      )
  return texts


def _no_signal(analysis: Analysis) -> list[str]:
  """Names metrics whose arms differ by little more than seeds do."""
  weak = []
  for name in metrics_lib.METRICS:
    if name == metrics_lib.OWN_LOSS and name != analysis.metric:
      continue
    seeds = signal_to_noise(analysis, name)
    checkpoints = signal_to_checkpoints(analysis, name)
    ratio = checkpoints if seeds is None else seeds
    least = _LEAST_SIGNAL if seeds is None else _range_of_equals(analysis, name)
    if ratio is None or ratio >= least:
      continue
    shown = [f"{ratio:.1f}"]
    if checkpoints is not None:
      shown.append(f"{checkpoints:.1f} by the last checkpoints")
    text = ", ".join(shown if seeds is not None else shown[1:])
    weak.append(f"{metrics_lib.get(name).label} ({text})")
  if not weak:
    return []
  return [
    f"Not fit to rank these arms: {listed(weak, 'and')}; in brackets the range"
    " of their means by the spread of a seed. Equal arms would show as large a"
    " one in more than one of 20 experiments."
  ]


def _range_of_equals(analysis: Analysis, name: str) -> float:
  """Returns the range of equal arms' means, in 19 of 20 experiments.

  By the spread of a seed: the studentized range, by the root of the (harmonic)
  mean number of seeds.
  Source: Tukey 1953, as Montgomery, Design and Analysis of Experiments, has it.
  """
  from scipy import stats

  counts = [
    len(analysis.experiment.with_metric(name, arm))
    for arm in analysis.experiment.arms
  ]
  known = [count for count in counts if count]
  df = sum(count - 1 for count in known)
  seeds = len(known) / sum(1 / count for count in known)
  quantile = stats.studentized_range.ppf(0.95, len(known), df)
  return float(quantile) / float(np.sqrt(seeds))
