"""Measures DialogSum: summaries of conversations, with several references."""

from lm_jax.tasks import _generated


class Dialogsum(_generated.SummaryTask):
  """Chen et al. 2021; ROUGE-1, 2 and L against the nearest reference."""
