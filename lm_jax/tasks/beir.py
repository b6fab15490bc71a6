"""A collection in the format of BEIR, or in JSONL; beside BM25."""

from __future__ import annotations

from lm_jax.tasks import _retrieval


class Beir(_retrieval.Retrieval):
  """Thakur et al. 2021: the queries that qrels/test.tsv judges.

  It is fine-tuned on qrels/train.tsv, if there is one, and chooses checkpoints
  by qrels/dev.tsv. A collection without splits has its queries drawn into
  three, as Cranfield's are.
  """
