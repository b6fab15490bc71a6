"""Seeds that a plan says are needed; power itself is tested in statistics/."""

from lm_jax.report import blocks, power
from lm_jax.statistics.power import PairSpread, seeds_needed


def _cells(parts):
  (table,) = [part for part in parts if isinstance(part, blocks.Table)]
  return dict(zip(table.head, table.rows[0], strict=False))


def test_a_stated_spread_in_points():
  parts = power.blocks(
    {"any": PairSpread(0.015)}, 1.0, "minimal_pairs", 1, "as stated"
  )
  cells = _cells(parts)
  assert cells["spread of a seed"] == "1.5"
  # The paired t test: 20 pairs for an effect of 2 / 3 of the deviation.
  assert cells["seeds to show it"] == "20"
  assert "at 0.05 for one comparison" in blocks.plain(parts)


def test_more_comparisons_need_more_seeds():
  spread = {"any": PairSpread(0.015)}
  one, five = (
    _cells(power.blocks(spread, 1.0, "minimal_pairs", n, ""))[
      "seeds to show it"
    ]
    for n in (1, 5)
  )
  assert int(five) > int(one)
  assert int(five) == seeds_needed(PairSpread(0.015), 0.01, alpha=0.01)


def test_what_no_number_of_seeds_shows():
  spread = PairSpread(0.01, items_error=0.02, noise=1e-4, items=200, df=4)
  parts = power.blocks({"mlm": spread}, 1.0, "minimal_pairs", 1, "a pilot's")
  assert _cells(parts)["seeds to show it"] == "never"
  text = blocks.plain(parts).replace("\n", " ")
  # (1.96 + 0.84) standard errors of 2 points.
  assert "the 200 items leave a standard error of 2" in text
  assert "no difference below 5.6" in text


def test_a_loss_is_told_in_its_own_unit():
  parts = power.blocks(
    {"any": PairSpread(0.02)}, 0.05, "validation_loss", 1, "as stated"
  )
  assert _cells(parts)["spread of a seed"] == "0.02"
  assert "A difference of 0.05 nats" in blocks.plain(parts)
