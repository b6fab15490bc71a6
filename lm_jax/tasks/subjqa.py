"""Measures SubjQA: questions about reviews, most without an answer."""

from lm_jax.tasks import _reading


class Subjqa(_reading.ReadingTask):
  """Bjerva et al. 2020; exact match and F1, also of each half."""

  unanswerable = True
