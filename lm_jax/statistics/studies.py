"""Studies of a search for good settings: their points, and what they chose.

As in AlgoPerf's external tuning every arm gets the same points, in several
studies; a study's score is that of its best trial, and the arm's is that of the
median study: the best of all trials would grow with their number.
Source: Dahl et al. 2023 (arXiv 2306.07179), section 4.4.

Shape suffixes: S studies, T trials, D dimensions. Scores are of validation
data, the higher the better; a trial that ended without one has -inf.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from lm_jax.statistics.estimates import Array

# Fewer trials in the half of a range next to its edge tell no trend.
_FEWEST = 4
_ALPHA = 0.1


def sobol(study: int, trials: int, dimensions: int) -> Array:
  """Returns the points of a study [T, D] in [0, 1), the same for every arm.

  A scrambled Sobol sequence of the study's own, of which later points do not
  change the first ones.
  Source: Sobol 1967; Owen 1998 for the scrambling.
  """
  from scipy.stats import qmc

  sequence = qmc.Sobol(dimensions, scramble=True, seed=study)
  power = max(0, int(np.ceil(np.log2(max(1, trials)))))
  return sequence.random_base2(power)[:trials]


@dataclasses.dataclass(frozen=True)
class Choice:
  """The setting that studies have chosen.

  study, trial: of the best trial of the median study.
  boundary: the dimensions whose optimum may lie beyond the range.
  """

  study: int
  trial: int
  boundary: tuple[int, ...] = ()


def choose(points_SxTxD: Array, scores_SxT: Array) -> Choice | None:
  """Returns what the median study chose; None where no trial has a score.

  Of an even number of studies it is the lower one of the middle.
  """
  best_S = scores_SxT.max(axis=1)
  if not np.isfinite(best_S).any():
    return None
  order = np.argsort(best_S, kind="stable")
  study = int(order[(len(order) - 1) // 2])
  if not np.isfinite(best_S[study]):  # most studies have none
    study = int(order[np.isfinite(best_S[order])][0])
  trial = int(scores_SxT[study].argmax())
  edges = [
    dimension
    for dimension in range(points_SxTxD.shape[2])
    if is_at_edge(points_SxTxD[..., dimension], scores_SxT, study, trial)
  ]
  return Choice(study, trial, tuple(edges))


def is_at_edge(
  places_SxT: Array, scores_SxT: Array, study: int, trial: int
) -> bool:
  """Returns whether an optimum may lie beyond the range of an option.

  It may where no trial of its study lies nearer to that edge than the one that
  was chosen, and the scores of all studies rise towards it: Spearman's rank
  correlation over the half of the range next to it, one-sided at 0.1. Fewer
  than 4 trials there tell no trend, and leave the edge possible.

  Args:
    places_SxT: in the range, 0 to 1.
    study, trial: that was chosen.
  """
  from scipy import stats

  place = places_SxT[study, trial]
  for sign in (1, -1):  # the upper edge, then the lower one
    if (sign * places_SxT[study] > sign * place).any():
      continue
    near = sign * (places_SxT - 0.5) > 0
    near &= np.isfinite(scores_SxT)
    if near.sum() < _FEWEST:
      return True
    scores, places = scores_SxT[near], sign * places_SxT[near]
    if np.ptp(scores) == 0:
      continue  # it makes no difference there
    trend = stats.spearmanr(places, scores, alternative="greater")
    if trend.pvalue < _ALPHA:
      return True
  return False


def best_so_far(scores_SxT: Array) -> Array:
  """Returns the best of the first trials of each study, [S, T].

  Its median over studies tells what a smaller budget for tuning would have
  chosen.
  """
  return np.maximum.accumulate(scores_SxT, axis=1)
