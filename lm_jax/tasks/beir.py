"""Measures search in a collection in the format of BEIR, or in JSONL."""

from lm_jax.tasks import _retrieval


class Beir(_retrieval.Retrieval):
  """Searches with the queries that qrels/test.tsv judges; also BM25.

  Thakur et al. 2021. It is fine-tuned on qrels/train.tsv, if there is one, and
  qrels/dev.tsv chooses checkpoints. The queries of a collection without splits
  are drawn into three, as in Cranfield.
  """
