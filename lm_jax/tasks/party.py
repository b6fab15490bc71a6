"""Measures the president's party of a passage of the embedded corpus."""

from lm_jax.tasks import _probe


class Party(_probe.PassageTask):
  """One of two parties; chance is one in two."""

  form = _probe.form("party")
