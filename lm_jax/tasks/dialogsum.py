"""DialogSum: what was said in a conversation; several are right."""

from __future__ import annotations

from lm_jax.tasks import _generated


class Dialogsum(_generated.SummaryTask):
  """Chen et al. 2021; ROUGE-1, 2 and L against the nearest reference."""
