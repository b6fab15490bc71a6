"""How numbers look, whoever shows them."""

import pytest

from lm_jax.report import metrics


@pytest.mark.parametrize(
  ("value", "percent", "signed", "shown"),
  [
    (0.5361111, True, False, "53.6"),
    (-0.0213, True, True, "−2.1"),
    (0.0213, True, True, "+2.1"),
    (1.65949, False, False, "1.659"),
    (12.3456, False, False, "12.35"),
    (123.456, False, False, "123.5"),
    (12345.678, False, False, "12,346"),
    (-0.5, False, True, "−0.500"),
    (None, True, False, "–"),
  ],
)
def test_a_number_has_one_form(value, percent, signed, shown):
  assert metrics.number(value, percent, signed) == shown


@pytest.mark.parametrize(
  ("name", "ends", "expected"),
  [
    ("minimal_pairs", (), True),
    ("probe/era", (), True),
    ("bits_per_byte", (0.1, 0.9), False),
    ("validation_loss", (), False),
    ("sst2/accuracy", (), True),
    ("f1/PER", (), True),
    ("cranfield/bm25_nDCG@10", (0.1, 0.9), True),
    ("nDCG@10", (), True),
    ("humaneval/pass@10", (), True),
    ("lambada/perplexity", (), False),
    ("blimp", (0.4, 0.6), True),
    ("bleu", (), False),
    ("bleu", (12.0, 15.0), False),
    ("matthews", (), True),
  ],
)
def test_what_is_a_share_is_known_by_its_name_or_its_interval(
  name, ends, expected
):
  assert metrics.share(name, 0.5, *ends) == expected


def test_an_interval_has_one_form():
  assert metrics.interval(0.5, 0.41, 0.59, True) == "50.0 [41.0, 59.0]"
  assert metrics.interval(0.5, None, 0.59, True) == "50.0"
  shown = metrics.interval(0.01, -0.02, 0.04, True, signed=True)
  assert shown == "+1.0 [−2.0, +4.0]"
