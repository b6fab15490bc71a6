"""Measures ARC-Challenge: questions that word statistics do not answer."""

from lm_jax.tasks import _arc


class ArcChallenge(_arc.Arc):
  """Clark et al. 2018; accuracy by the likelihood of the choices."""

  form = _arc.form("ARC-Challenge")
