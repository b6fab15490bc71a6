"""Something that must be learnable, end to end through a program."""

import math

import numpy as np
import toy

from lm_jax.config import optimizer
from lm_jax.types import Rows


def _copies(seed, batch, size):
  """[BOS] text [SEP] text, of which the second text is the answer."""
  rng = np.random.default_rng(seed)
  first = len(toy.SPECIALS.ids)
  text = rng.integers(first, first + 16, (batch, size), dtype=np.int32)
  one = np.ones((batch, 1), np.int32)
  tokens = np.concatenate(
    [one * toy.SPECIALS.boundary, text, one * toy.SPECIALS.separator, text],
    axis=1,
  )
  index = np.broadcast_to(np.arange(2 * size + 2, dtype=np.int32), tokens.shape)
  answer = (index > size + 1).astype(np.int32)
  return Rows(tokens, np.ones_like(tokens), index, 0 * index, answer)


def test_the_causal_decoder_learns_to_copy():
  size, batch, steps = 7, 32, 100
  program = toy.program(
    "clm",
    batch=batch,
    length=2 * size + 2,
    vocabulary=len(toy.SPECIALS.ids) + 16,
    optimizer=optimizer.OptimizerOptions(
      learning_rate=6e-3, warmup=0.1, weight_decay=0.0
    ),
    layers=2,
    width=64,
    heads=4,
    feedforward=128,
  )
  state = toy.start(program)
  unseen = [_copies(10_000, batch, size)]
  before = program.validation_loss(state.params, unseen)
  assert before > math.log(16)
  for number in range(steps):
    state, _ = program.step(
      state, _copies(number, batch, size), np.float32((number + 1) / steps)
    )
  assert program.validation_loss(state.params, unseen) < 0.05
