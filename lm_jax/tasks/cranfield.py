"""Measures Cranfield: search in abstracts on aerodynamics; also BM25."""

from lm_jax.tasks import _retrieval


class Cranfield(_retrieval.Retrieval):
  """Searches 1,400 abstracts with 225 questions (Cleverdon 1967).

  Without training all 225 queries are measured. There are no official splits:
  for fine-tuning, 112 queries train, 38 choose checkpoints and 75 test, drawn
  by the hash of their ids.
  """
