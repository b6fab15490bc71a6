import math

import numpy as np
from tiny import pretrain, result_of

from lm_jax.data import rows as rows_lib
from lm_jax.data import unigram


def test_it_is_the_loss_of_the_tokens_frequencies(tiny):
  dataset = rows_lib.load(tiny.data(), 32)
  held_out = dataset.fixed("validation", 4, limit_rows=8)
  counts = dict.fromkeys(range(dataset.vocabulary_size), 1)
  own = set(dataset.specials.ids)
  for number in range(dataset.rows("train") // 32):
    for token in np.ravel(dataset.batch(0, number, 32).tokens_BxL).tolist():
      counts[token] += token not in own
  total = sum(counts.values())
  losses = [
    -math.log(counts[token] / total)
    for rows in held_out
    for token in np.ravel(rows.tokens_BxL).tolist()
    if token not in own
  ]
  expected = sum(losses) / len(losses)
  assert abs(unigram.cross_entropy(dataset, held_out) - expected) < 1e-9


def test_only_losses_of_tokens_have_one(tiny, tmp_path):
  for objective, known in (("mlm", True), ("rtd", False)):
    config = tiny.config(
      tmp_path / objective, objective=objective, eval="loss", budget="steps:1"
    )
    pretrain(config)
    assert ("unigram" in result_of(config)) == known
