"""Measures SQuAD 1.1: answers are spans of a passage of Wikipedia."""

from lm_jax.tasks import _reading


class Squad(_reading.ReadingTask):
  """Rajpurkar et al. 2016; exact match and F1."""

  tfds = "squad/v1.1"
