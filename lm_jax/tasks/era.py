"""Measures the era of a passage of the embedded corpus."""

from lm_jax.tasks import _probe


class Era(_probe.PassageTask):
  """One of four eras; chance is one in four."""

  form = _probe.form("era")
