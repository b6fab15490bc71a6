"""Cranfield: abstracts on aerodynamics for 225 questions; beside BM25."""

from __future__ import annotations

from lm_jax.tasks import _retrieval


class Cranfield(_retrieval.Retrieval):
  """Cleverdon 1967; 1,400 abstracts.

  Without training all 225 queries are measured. There are no official splits:
  for fine-tuning, 112 queries are for training, 38 choose checkpoints and 75
  are for the test, drawn by the hash of their ids.
  """
