"""Measures CNN/DailyMail: highlights of a news article."""

from lm_jax.tasks import _generated


class CnnDailymail(_generated.SummaryTask):
  """See et al. 2017; ROUGE-1, 2, L and Lsum."""

  tfds = "cnn_dailymail"
