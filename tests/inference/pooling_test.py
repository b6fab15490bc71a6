"""What a head reads of a text."""

import jax.numpy as jnp
import numpy as np
import pytest

from lm_jax import layout
from lm_jax.inference import pooling
from lm_jax.support.errors import UsageError
from lm_jax.types import Head

END = 2
SOURCE = np.array([[7, 8, 9, END], [7, END, 1, 1]])


class Echo:
  """An apply whose state of a token is its index, and whose head is none."""

  def hidden(self, inputs, source=None, stack="main"):
    index = jnp.arange(inputs.tokens_BxT.shape[1], dtype=jnp.float32)
    shape = (*inputs.tokens_BxT.shape, 1)
    return jnp.broadcast_to(index[None, :, None], shape)

  def head(self, name, hidden_BxTxD, positions=None, stack="main"):
    return hidden_BxTxD[:, 0]

  def nll(self, *args, **kwargs):
    raise NotImplementedError


def _logits(decoder, head):
  source = layout.stream(
    jnp.array(SOURCE), jnp.array(SOURCE != 1).astype(int), "full"
  )
  inputs = layout.stream(
    jnp.array(decoder), jnp.ones(decoder.shape, int), "causal"
  )
  return pooling.logits(Echo(), inputs, source, "text", head, END)


def test_the_source_tells_where_a_text_ends_that_the_decoder_reads():
  shifted = np.roll(SOURCE, 1, axis=1)
  shifted[:, 0] = END  # BART starts with what ends a text
  found = _logits(shifted, Head(3, "end"))
  np.testing.assert_array_equal(found, [[3], [1]])


def test_a_decoder_of_another_length_has_no_such_end():
  with pytest.raises(UsageError, match="3 are not 4"):
    _logits(SOURCE[:, :3], Head(3, "end"))
