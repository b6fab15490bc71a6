"""Experiments with a known truth, many at once, and limits computed anew.

The scores of a run are drawn so that every arm's expected share is exactly p,
over seeds and over items: item i is right where
0.6 z_i + 0.4 w_ai + sqrt(0.48) e_ani < a_a + seed_n + spread_a x_an, all of z,
w, e, x standard normal, and a_a = probit(p) sqrt(1 + spread_a^2 + seed^2),
since E probit^-1(a + s x) = probit^-1(a / sqrt(1 + s^2)). Shape suffixes: S
experiments, A arms, N seeds, I items.
"""

import numpy as np
from scipy import special

SPREAD = 0.047  # 1.5 points of accuracy at 0.75, over seeds
SPREADS = {
  "equal": lambda arms: np.ones(arms),
  "4-fold": lambda arms: np.r_[4.0, np.ones(arms - 1)],
  "unstable": lambda arms: np.r_[10.0, np.ones(arms - 1)],
}


def scores(
  rng, experiments, arms, seeds, items, p=0.75, spread="equal", shared=True,
  better=0.0,
):  # fmt: skip
  """Scores [S, A, N, I], 0 or 1; the first arm is the baseline.

  shared: whether a seed shifts all arms alike. better: what the second arm's
  expected share is above p.
  """
  spread_A = SPREAD * SPREADS[spread](arms)
  seed = SPREAD if shared else 0.0
  p_A = np.r_[p, p + better, np.full(arms - 2, p)]
  centre_A = special.ndtri(p_A) * np.sqrt(1 + spread_A**2 + seed**2)
  shape = (experiments, arms, seeds, 1)
  level = centre_A[:, None, None] + spread_A[:, None, None] * rng.normal(
    size=shape
  )
  level = level + seed * rng.normal(size=(experiments, 1, seeds, 1))
  draw = lambda *sizes: rng.standard_normal(sizes, dtype=np.float32)  # noqa: E731
  item = 0.6 * draw(experiments, 1, 1, items)
  own = 0.4 * draw(experiments, arms, 1, items)
  noise = np.float32(np.sqrt(0.48)) * draw(experiments, arms, seeds, items)
  return (item + own + noise < level.astype(np.float32)).astype(np.float32)


def _t(alpha, df):
  return -special.stdtrit(df, alpha / 2)


def _parts(grid):
  """Of scores [..., N, I]: variances of the mean by seeds, noise and items."""
  n, items = grid.shape[-2:]
  run, item, mean = grid.mean(-1), grid.mean(-2), grid.mean((-2, -1))
  rest = grid - item[..., None, :] - run[..., None] + mean[..., None, None]
  noise = (rest**2).sum((-2, -1)) / ((n - 1) * (items - 1))
  share = np.maximum(0, item.var(-1, ddof=1) - noise / n) / items
  return run.var(-1, ddof=1) / n, noise / (n * items), share


def _squares(grid, alpha):
  """Squared half-lengths over seeds and over items."""
  n, items = grid.shape[-2:]
  seeds, noise, share = _parts(grid)
  of_noise = _t(alpha, (n - 1) * (items - 1)) ** 2 * noise
  over_seeds = np.maximum(_t(alpha, n - 1) ** 2 * seeds, of_noise)
  return over_seeds, _t(alpha, items - 1) ** 2 * share


def _logit_limits(grid, alpha):
  n, items = grid.shape[-2:]
  margin = 0.5 / items
  p = grid.mean((-2, -1)).clip(margin, 1 - margin)
  logit = special.logit(grid.mean(-1).clip(margin, 1 - margin))
  slope = p * (1 - p)
  over_seeds, over_items = _squares(grid, alpha)
  logits = _t(alpha, n - 1) ** 2 * logit.var(-1, ddof=1) / n * slope**2
  half = np.sqrt(np.maximum(over_seeds, logits) + over_items) / slope
  centre = special.logit(p)
  return p, special.expit(centre - half), special.expit(centre + half)


def mean_limits(grid, alpha=0.05):
  """Of every arm: low [S, A] and high [S, A]."""
  _, low, high = _logit_limits(grid, alpha)
  mean, items = grid.mean((-2, -1)), grid.shape[-1]
  z = special.ndtri(1 - alpha / 2)
  centre = (mean + z * z / (2 * items)) / (1 + z * z / items)
  half = np.sqrt(mean * (1 - mean) / items + (z / (2 * items)) ** 2)
  half *= z / (1 + z * z / items)
  near = items * np.minimum(mean, 1 - mean) < 10
  low = np.where(near, np.minimum(low, centre - half), low)
  high = np.where(near, np.maximum(high, centre + half), high)
  return np.minimum(low, mean).clip(0, 1), np.maximum(high, mean).clip(0, 1)


def difference_limits(grid, alpha=0.05, paired=True):
  """Of every arm but the first, minus the first: low and high [S, A - 1]."""
  items = grid.shape[-1]
  arms, base = grid[:, 1:], grid[:, :1]
  value = (arms - base).mean((-2, -1))
  own, base_own = _squares(arms, alpha), _squares(base, alpha)
  if paired:
    square = sum(_squares(arms - base, alpha))
  else:
    noise = _parts(arms)[1] * items + _parts(base)[1] * items
    mean = arms.mean(-2) - base.mean(-2)
    share = np.maximum(0, mean.var(-1, ddof=1) - noise) / items
    square = own[0] + base_own[0] + _t(alpha, items - 1) ** 2 * share

  def stretch(part, squares):
    p, low, high = _logit_limits(part, alpha)
    half = np.sqrt(sum(squares))
    with np.errstate(divide="ignore", invalid="ignore"):
      down, up = (p - low) / half, (high - p) / half
    return np.where(half, down, 1.0), np.where(half, up, 1.0)

  (down, up), (base_down, base_up) = stretch(arms, own), stretch(base, base_own)
  common = sum(own) + sum(base_own) - square

  def half(a, b):
    skewed = a * a * sum(own) + b * b * sum(base_own) - a * b * common
    return np.sqrt(np.maximum(square, skewed))

  low = value - half(down, base_up)
  return low.clip(-1, 1), (value + half(up, base_down)).clip(-1, 1)


def rates(grid, p, paired=True, alpha=0.05):
  """Of a null experiment: false claims, and coverage of both intervals.

  A family has a false claim where Holm's correction claims anything, which is
  where a limit at its first level, alpha / (A - 1), leaves 0 out.
  """
  low, high = difference_limits(grid, alpha / (grid.shape[1] - 1), paired)
  claims = ((low > 0) | (high < 0)).any(1)
  low, high = difference_limits(grid, alpha, paired)
  covered = ((low <= 0) & (high >= 0)).mean(1)
  low, high = mean_limits(grid, alpha)
  means = ((low <= p) & (high >= p)).mean(1)
  return np.array([claims.mean(), covered.mean(), means.mean()])


def former_claims(grid, alpha=0.05):
  """Claims of the two tests that were made before, one arm a column.

  Both a t test over seeds with the variance pooled over all arms and a test
  over items had to reject at Holm's first level.
  """
  arms, n = grid.shape[1:3]
  run = grid.mean(-1)
  rest = run - run.mean(1, keepdims=True) - run.mean(2, keepdims=True)
  rest += run.mean((1, 2), keepdims=True)
  df = (arms - 1) * (n - 1)
  variance = (rest**2).sum((1, 2)) / df
  value = run[:, 1:].mean(2) - run[:, :1].mean(2)
  level = alpha / (arms - 1)
  seeds = abs(value) > _t(level, df) * np.sqrt(2 * variance / n)[:, None]
  item = (grid[:, 1:] - grid[:, :1]).mean(2)
  error = np.sqrt((item**2).sum(-1)) / item.shape[-1]
  return seeds & (abs(value) > special.ndtri(1 - level / 2) * error)
