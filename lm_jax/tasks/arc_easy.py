"""Measures ARC-Easy: school science with three to five choices."""

from lm_jax.tasks import _arc


class ArcEasy(_arc.Arc):
  """Clark et al. 2018; accuracy by the likelihood of the choices."""

  form = _arc.form("ARC-Easy")
