"""Measures SAMSum: summaries of chats."""

from lm_jax.tasks import _generated


class Samsum(_generated.SummaryTask):
  """Gliwa et al. 2019; ROUGE-1, 2 and L."""

  tfds = "samsum"
