"""Measures SciTLDR: an abstract in one sentence, with several references."""

from lm_jax.tasks import _generated


class Scitldr(_generated.SummaryTask):
  """Cachola et al. 2020; ROUGE-1, 2 and L against the nearest reference."""
