"""Measures XSum: a news article in one sentence."""

from lm_jax.tasks import _generated


class Xsum(_generated.SummaryTask):
  """Narayan et al. 2018; ROUGE-1, 2 and L."""

  tfds = "xsum"
