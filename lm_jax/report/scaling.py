"""Tables of experiments that span sizes or budgets.

Arms are of one kind where they differ in nothing but their scale: the size, the
budget, and what is the same in all arms of a scale (a learning rate for each
size). Of several kinds at several scales the tables say how often the order of
the kinds holds from one scale to another, and how each one's loss falls.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping

import numpy as np

from lm_jax.report import metrics as metrics_lib
from lm_jax.report import subject
from lm_jax.report.blocks import Block, Table, Text
from lm_jax.report.collect import Experiment
from lm_jax.report.compare import Analysis
from lm_jax.report.metrics import amount
from lm_jax.report.run import Run
from lm_jax.statistics import decisions
from lm_jax.statistics import scaling as scaling_lib
from lm_jax.statistics.estimates import Array, Estimate

_SCALE = ("size", "budget", "trunk.preset")
_FEWEST = 3  # scales of a fit


@dataclasses.dataclass(frozen=True)
class Grid:
  """Finished runs by kind and scale.

  scales: their names, from the cheapest to the dearest in FLOPs.
  flops: of a run at each scale, by the mean of all.
  runs: by kind, then by scale.
  """

  scales: tuple[str, ...]
  flops: tuple[float, ...]
  runs: Mapping[str, Mapping[str, list[Run]]]

  def scores(self, scale: str, metric: str) -> dict[str, Array]:
    """The scores [N] of each kind that has the metric at a scale."""
    scores = {}
    for kind, by_scale in self.runs.items():
      values = [
        run.metrics[metric]
        for run in by_scale.get(scale, ())
        if metric in run.metrics
      ]
      if values:
        scores[kind] = np.array(values)
    return scores


def grid(experiment: Experiment) -> Grid | None:
  """Sorts runs by kind and scale; None where there is one scale."""
  done = [run for run in experiment.runs if run.done and run.settings]
  varied = subject.varied([run.settings for run in done])
  scaled = [path for path in varied if path in _SCALE]
  if not scaled:
    return None
  scale_of = {run.name: _named(run, scaled) for run in done}
  own = []
  for path in varied:
    by_scale: dict[str, set[str]] = {}
    for run in done:
      value = json.dumps(run.settings.get(path), sort_keys=True)
      by_scale.setdefault(scale_of[run.name], set()).add(value)
    if path not in scaled and any(len(v) > 1 for v in by_scale.values()):
      own.append(path)
  runs: dict[str, dict[str, list[Run]]] = {}
  flops: dict[str, list[float]] = {}
  for run in done:
    scale = scale_of[run.name]
    kind = _named(run, own) or str(run.settings.get("objective", "all"))
    runs.setdefault(kind, {}).setdefault(scale, []).append(run)
    if spent := run.ledger.get("flops"):
      flops.setdefault(scale, []).append(spent)
  means = {scale: float(np.mean(spent)) for scale, spent in flops.items()}
  scales = tuple(sorted(means, key=lambda scale: means[scale]))
  if len(scales) < 2:
    return None
  return Grid(scales, tuple(means[scale] for scale in scales), runs)


def _named(run: Run, paths: list[str]) -> str:
  texts = [subject.values_of(path, [run.settings]) for path in paths]
  return ", ".join(text[0] for text in texts if text)


def blocks(analysis: Analysis) -> list[Block]:
  """Shows decision accuracy and scaling curves; [] of a single scale."""
  known = grid(analysis.experiment)
  if known is None:
    return []
  return [*_decisions(analysis, known), *_curves(analysis, known)]


def _decisions(analysis: Analysis, known: Grid) -> list[Block]:
  names = [
    name
    for name in analysis.experiment.measured
    if name in metrics_lib.METRICS
    and metrics_lib.get(name).higher_better is not None
    and (name != metrics_lib.OWN_LOSS or name == analysis.metric)
  ]
  pairs = list(itertools.combinations(known.scales, 2))
  rows = []
  for name in names:
    cells = []
    for small, large in pairs:
      both = known.scores(small, name), known.scores(large, name)
      shared = both[0].keys() & both[1].keys()
      if len(shared) < 2:
        cells.append("–")
        continue
      share = decisions.accuracy(*both)
      cells.append(_percent(share))
    ratio = _noise(known, name)
    if any(cell != "–" for cell in cells):
      snr = "–" if ratio is None else f"{ratio:.1f}"
      rows.append((metrics_lib.get(name).label, snr, *cells))
  if not rows:
    return []
  head = ("measure", "signal / noise", *(f"{a} → {b}" for a, b in pairs))
  text = (
    "Decision accuracy: of all pairs of arms, the share, in %, that the smaller"
    " scale orders as the larger one does, by means over seeds; 50 is chance."
    " Intervals: bootstrap over seeds, for these arms (Magnusson et al. 2025)."
    " Signal / noise: the range of the arms' means at the smallest scale by the"
    " spread of a seed (Heineman et al. 2025)."
  )
  return [Table(head, tuple(rows)), Text(text)]


def _noise(known: Grid, name: str) -> float | None:
  scores = known.scores(known.scales[0], name).values()
  return decisions.signal_to_noise(
    [float(row.mean()) for row in scores],
    [float(row.var(ddof=1)) for row in scores if len(row) > 1],
  )


def _percent(estimate: Estimate) -> str:
  ends = estimate.low, estimate.high
  return metrics_lib.interval(estimate.value, *ends, percent=True)


def _losses(known: Grid, kind: str, name: str) -> list[Array] | None:
  """The losses [N] of a kind at each scale; of a share what is wrong."""
  losses = []
  for scale in known.scales:
    scores = known.scores(scale, name).get(kind)
    if scores is None:
      return None
    share = metrics_lib.get(name).unit == "%"
    losses.append(1 - scores if share else scores)
  return losses


def _curves(analysis: Analysis, known: Grid) -> list[Block]:
  """Fits a power law of FLOPs to each kind, and finds where they cross."""
  name = metrics_lib.BITS
  if name not in analysis.experiment.measured:
    name = analysis.metric or ""
  if not name or len(known.scales) < _FEWEST:
    return []
  losses = {
    kind: own
    for kind in known.runs
    if (own := _losses(known, kind, name)) is not None
    and all(float(x.mean()) > 0 for x in own)
  }
  with_e = len(known.scales) >= scaling_lib.MIN_BUDGETS_WITH_E
  rows = []
  for kind, own in losses.items():
    law = scaling_lib.fit(known.flops, own, with_e)
    parts = (law.irreducible, law.scale, law.exponent)
    cells = [metrics_lib.interval(p.value, p.low, p.high) for p in parts]
    if not with_e:
      cells[0] = "0, not fitted"
    rows.append((kind, *cells, f"{law.residual:.3g}"))
  if not rows:
    return []
  label = metrics_lib.get(name).label
  if metrics_lib.get(name).unit == "%":
    label = f"1 − {label}"
  unit = amount(float(np.exp(np.log(known.flops).mean())), "flops")
  text = (
    f"{label[0].upper()}{label[1:]} = E + A (FLOPs / {unit})^−α over"
    f" {len(known.scales)} scales, by least squares; 95 % intervals over seeds."
    " It is a description of these scales, not a forecast."
  )
  table = Table(("arm", "E", "A", "α", "residual"), tuple(rows))
  return [table, Text(text), *_crossings(known, losses, with_e)]


def _crossings(
  known: Grid, losses: Mapping[str, list[Array]], with_e: bool
) -> list[Block]:
  """Says where the curve of each kind crosses that of the first."""
  kinds = list(losses)
  sentences = []
  for kind in kinds[1:]:
    one = scaling_lib.crossing(
      known.flops, losses[kinds[0]], losses[kind], with_e
    )
    ahead = (kinds[0], kind)[one.before]
    if one.value is None:
      text = f"{kinds[0]} and {kind} do not cross within the range: {ahead}"
      sentences.append(f"{text} is ahead.")
      continue
    ends = [
      amount(end, "flops") if end is not None else beyond
      for end, beyond in ((one.low, "below it"), (one.high, "beyond it"))
    ]
    sentences.append(
      f"{kinds[0]} and {kind} cross at {amount(one.value, 'flops')} FLOPs"
      f" [{ends[0]}, {ends[1]}]; before that {ahead} is ahead."
    )
  return [Text(" ".join(sentences))] if sentences else []
