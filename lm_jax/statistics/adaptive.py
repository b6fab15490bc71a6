"""Points of a study that adapt to what its earlier trials have reached."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, ...]
# Trials at random before it adapts, as a share of nothing is known.
_RANDOM = 3


def next_point(
  study: int, before: Sequence[tuple[Point, float]], dimensions: int
) -> Point:
  """Returns the next point of a study, each number in [0, 1].

  A function of its arguments alone, so that a study that was killed goes on
  with the same points.
  Source: the tree-structured Parzen estimator of Bergstra et al. 2011 (Neural
  Information Processing Systems 24), by Optuna.

  Args:
    before: the points of earlier trials and their scores, the higher the
      better; -inf of a trial without one.
  """
  import optuna

  optuna.logging.set_verbosity(optuna.logging.WARNING)
  names = [f"x{place}" for place in range(dimensions)]
  space = {
    name: optuna.distributions.FloatDistribution(0.0, 1.0) for name in names
  }
  sampler = optuna.samplers.TPESampler(
    seed=10_000 * study + len(before), n_startup_trials=_RANDOM
  )
  search = optuna.create_study(direction="maximize", sampler=sampler)
  for point, score in before:
    known = math.isfinite(score)
    search.add_trial(
      optuna.trial.create_trial(
        params=dict(zip(names, point, strict=True)),
        distributions=space,
        value=score if known else None,
        state=optuna.trial.TrialState.COMPLETE
        if known
        else optuna.trial.TrialState.FAIL,
      )
    )
  trial = search.ask(space)
  return tuple(float(trial.params[name]) for name in names)
