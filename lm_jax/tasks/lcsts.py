"""Measures LCSTS: a Chinese post of news in one short sentence."""

from lm_jax.examples import lcsts
from lm_jax.tasks import _generated
from lm_jax.tasks._files import Names


class Lcsts(_generated.SummaryTask):
  """Hu et al. 2015; ROUGE-1, 2 and L by characters.

  Pairs that a human judged to fit less than 3 of 5 are left out, as in the
  paper.
  """

  names = Names(train=("PART_I",), dev=("PART_II",), test=("PART_III",))

  def readers(self):
    return {**super().readers(), ".txt": lcsts.part}
