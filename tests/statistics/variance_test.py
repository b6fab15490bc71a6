"""The spread's parts, by closed forms and with planted components."""

import itertools

import numpy as np
import pytest

from lm_jax.statistics import variance

KINDS = ("parameters", "order", "corruption")


def test_two_crossed_kinds_are_the_two_way_layout():
  y = np.array([[1.0, 2.0, 4.0], [2.0, 5.0, 5.0], [7.0, 7.0, 9.0]])
  seeds = [
    {"parameters": i, "order": j, "corruption": 0}
    for i, j in itertools.product(range(3), range(3))
  ]
  found = variance.components([(y.reshape(9, 1), seeds)], KINDS)
  rows, columns = y.mean(1) - y.mean(), y.mean(0) - y.mean()
  rest = y - y.mean(1, keepdims=True) - columns
  squares = [3 * (x**2).sum() / 2 for x in (rows, columns)]
  squares.append((rest**2).sum() / 4)
  wanted = [(s - squares[2]) / 3 for s in squares[:2]] + [squares[2]]
  assert [c.cause for c in found] == ["parameters", "order", "rest"]
  np.testing.assert_allclose([c.variance.value for c in found], wanted)
  shares = [c.share.value for c in found]
  np.testing.assert_allclose(shares, np.array(wanted) / sum(wanted))
  assert [c.df for c in found] == [2, 2, 4]


def test_nested_seeds_have_no_rest():
  y = np.array([[1.0, 2.0], [4.0, 4.0], [9.0, 6.0]])
  seeds = [
    {"parameters": i, "order": 10 * i + j, "corruption": 0}
    for i, j in itertools.product(range(3), range(2))
  ]
  found = variance.components([(y.reshape(6, 1), seeds)], KINDS)
  within = ((y - y.mean(1, keepdims=True)) ** 2).sum() / 3
  between = 2 * ((y.mean(1) - y.mean()) ** 2).sum() / 2
  assert [c.cause for c in found] == ["parameters", "order"]
  values = [c.variance.value for c in found]
  np.testing.assert_allclose(values, [(between - within) / 2, within])


def test_seeds_that_change_nothing_have_no_share():
  seeds = [{"parameters": i, "order": i, "corruption": 0} for i in range(3)]
  same = np.full((3, 4), 2.0)
  found = variance.components([(same, seeds)], ("parameters",))
  assert [c.share.value for c in found] == [0.0, 0.0]
  alone = variance.components([(same[:1], seeds[:1])], KINDS)
  assert alone == []


DESIGNS = {
  "crossed": ((3, 3, 1), False),
  "all crossed": ((3, 3, 3), False),
  "nested": ((4, 3, 1), True),
}


@pytest.mark.parametrize("design", DESIGNS)
def test_planted_components_are_covered(design):
  """95 % intervals hold the truth in 95 of 100 experiments, within noise."""
  counts, nested = DESIGNS[design]
  spread = {
    "parameters": 1.0,
    "order": 0.5,
    "corruption": 0.7 * (counts[2] > 1),
  }
  rest, item, items, trials = 0.3 * (not nested), 8.0, 60, 300
  noise = (item / 2) ** 2 / items
  rng = np.random.default_rng(0)
  hits = {}
  for trial in range(trials):
    groups = []
    for arm in range(2):
      effects = {
        kind: rng.normal(
          0, spread[kind], (counts[0], n) if kind == "order" else n
        )
        for kind, n in zip(KINDS, counts, strict=True)
      }
      difficulty = rng.normal(0, item, items)
      scores, seeds = [], []
      for p, o, c in itertools.product(*map(range, counts)):
        order = effects["order"][p if nested else 0, o]
        y = 10 * arm + effects["parameters"][p] + order
        y += effects["corruption"][c] + rng.normal(0, rest)
        scores.append(y + difficulty + rng.normal(0, item / 2, items))
        own = 100 * p + o if nested else o
        seeds.append({"parameters": p, "order": own, "corruption": c})
      groups.append((np.array(scores), seeds))
    found = variance.components(groups, KINDS, seed=trial, draws=2000)
    truth = {kind: spread[kind] ** 2 for kind in KINDS}
    truth |= {"rest": rest**2 + noise, "items": item**2 / items}
    if nested:
      truth["order"] += noise  # There is nothing else that could hold it.
    whole = sum(truth[c.cause] for c in found)
    for c in found:
      for value, estimate in (
        (truth[c.cause], c.variance),
        (truth[c.cause] / whole, c.share),
      ):
        hits.setdefault(c.cause, []).append(
          estimate.low <= value <= estimate.high
        )
  # Four standard errors of 300 trials below, and not so wide as to say nothing.
  assert all(0.90 <= np.mean(x) <= 0.99 for x in hits.values()), hits
