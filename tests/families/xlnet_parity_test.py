"""XLNet's memory and query tokens against live PyTorch Transformers."""

import dataclasses
import functools

import family_cases
import flax.linen as nn
import harness
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from encoder_cases import ODD_XLNET, XLNET
from family_cases import Case

from lm_jax import layout
from lm_jax.hugging_face import write as write_lib
from lm_jax.models import relative_attention
from lm_jax.objectives.permutation_lm import queries
from lm_jax.types import Rows, Spec, Specials

pytestmark = [pytest.mark.parity, pytest.mark.filterwarnings("ignore")]


def test_one_direction_is_a_causal_decoder(tmp_path):
  """Transformers masks padding there in rows of a batch of one only."""
  case = Case(
    "XLNetLMHeadModel", {**ODD_XLNET, "attn_type": "uni"}, 20, types=2
  )
  both, inputs = harness.pair(case, tmp_path / "theirs")
  assert both.model.trunk.architecture == "causal_decoder"
  one = slice(1, 2)  # half of it is padding
  row = family_cases.Inputs(
    inputs.ids[one], inputs.mask[one], inputs.types[one]
  )
  assert both.logits_difference(row) <= harness.LOGITS
  assert both.gradient_difference(row) <= harness.GRADIENTS
  back = both.way_back(tmp_path / "back", row)
  assert not any(back.values())


def _pair(tmp_path, config, length):
  case = Case("XLNetLMHeadModel", config, length)
  both, inputs = harness.pair(case, tmp_path / "theirs")
  return both, inputs.ids


@functools.partial(jax.jit, static_argnums=0)
def _remember(network, params, stream, past):
  forward = nn.apply(
    lambda net: net.head("vocabulary", net.hidden(stream, past=past)),
    network,
    mutable=["intermediates"],
  )
  return forward({"params": params})


@pytest.mark.parametrize("mem_len", [None, 9])
def test_memory_over_three_segments(tmp_path, mem_len):
  """Without padding: Transformers lets it into the memory."""
  import torch

  config = {**XLNET, "mem_len": mem_len}
  both, ids = _pair(tmp_path, config, 24)
  trunk, network = both.model.trunk, both.model.network()
  types = np.tile(np.arange(24) // 6 % 2, (3, 1))
  mems, past = None, ()
  for start, stop in ((0, 8), (8, 16), (16, 24)):
    part = slice(start, stop)
    given = {"token_type_ids": torch.tensor(types[:, part])}
    with torch.no_grad():
      out = both.their(torch.tensor(ids[:, part]), mems=mems, **given)
    mems = out.mems
    stream = layout.stream(
      jnp.int32(ids[:, part]),
      jnp.ones_like(jnp.int32(ids[:, part])),
      "full",
      type_BxT=jnp.int32(types[:, part]),
    )

    logits, read = _remember(network, both.params, stream, past)
    np.testing.assert_allclose(logits, out.logits, atol=harness.LOGITS, rtol=0)
    past = relative_attention.memories(read, trunk, past, longest=mem_len or 0)
    for ours, theirs in zip(past, mems, strict=True):
      np.testing.assert_allclose(
        ours, theirs.permute(1, 0, 2), atol=harness.LOGITS
      )


@pytest.mark.parametrize("config", [XLNET, ODD_XLNET], ids=["tiny", "odd"])
def test_query_tokens_are_the_second_stream(tmp_path, config):
  """perm_mask and target_mapping, logits and gradients, in "ordered" rows."""
  import torch

  both, ids = _pair(tmp_path, config, 16)
  their, network = both.their, both.model.network()
  rng = np.random.default_rng(0)
  # The first token is before all others, so that every query sees something.
  rank = np.stack([np.append(0, 1 + rng.permutation(15)) for _ in range(3)])
  target = rank > 11  # four of them
  at = np.stack([np.flatnonzero(row) for row in target])
  tokens = jnp.int32(ids)
  one = jnp.ones_like(tokens)
  spec = Spec("encoder", 16, config["vocab_size"], Specials())
  problem = queries(
    Rows(tokens, one, one, one, one), jnp.int32(rank), target, 4, spec
  )
  stream = dataclasses.replace(
    problem.inputs, type_BxT=jnp.zeros_like(problem.inputs.tokens_BxT)
  )
  mapping = np.float32(at[:, :, None] == np.arange(16))
  logits = their(
    torch.tensor(ids),
    perm_mask=torch.tensor(np.float32(rank[:, None] >= rank[:, :, None])),
    target_mapping=torch.tensor(mapping),
    token_type_ids=torch.zeros(3, 16, dtype=torch.long),
  ).logits
  pull = np.float32(rng.normal(size=logits.shape) / 12)
  (torch.tanh(logits) * torch.tensor(pull)).sum().backward()

  def forward(net):
    hidden = net.hidden(stream)
    return net.head("vocabulary", hidden, problem.positions_BxP)

  def loss(params):
    ours = nn.apply(forward, network)({"params": params})
    return jnp.sum(jnp.tanh(ours) * pull), ours

  gradients = jax.jit(jax.grad(loss, has_aux=True))
  grads, ours = gradients(both.params)
  np.testing.assert_allclose(ours, logits.detach(), atol=harness.LOGITS, rtol=0)
  theirs = {
    name: p.grad.numpy()
    for name, p in their.named_parameters()
    if p.grad is not None
  }
  assert "transformer.mask_emb" in theirs
  whole = np.sqrt(sum(np.sum(g**2) for g in theirs.values()))
  for name, _, _, make in write_lib.tensors(both.model, grads):
    scale = max(np.linalg.norm(theirs[name]), 1e-3 * whole)
    gap = np.linalg.norm(make() - theirs[name])
    assert gap <= harness.GRADIENTS * scale, name
