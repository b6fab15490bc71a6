"""Measures SQuAD 2.0: SQuAD where half of the questions have no answer."""

from lm_jax.tasks import _reading


class Squad2(_reading.ReadingTask):
  """Rajpurkar et al. 2018; exact match and F1, also of each half."""

  unanswerable = True
  tfds = "squad/v2.0"
